"""From findings to a verdict on the dataset: which episodes are out, and whether the rest may be trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.validate.checks import Severity
from tasks.validate.judge import Report
from tasks.validate.reading import Dataset, Rows
from tasks.validate.spec import GateThresholds


@dataclass(frozen=True)
class Gate:
    """Whether a dataset may be trained on."""

    passed: bool
    reasons: tuple[str, ...]
    """Why not; empty where it passed."""


def rejected_of(reports: Sequence[Report]) -> dict[str, list[str]]:
    """Episode -> reasons for which it is out, both sorted."""
    found: dict[str, set[str]] = {}
    for report in reports:
        for finding in report.findings:
            if finding.check.severity is Severity.REJECT:
                for episode in finding.episodes:
                    found.setdefault(episode, set()).add(finding.check.reason)
    return {episode: sorted(reasons) for episode, reasons in sorted(found.items())}


def decide(dataset: Dataset, accepted: list[Rows], rejected: dict[str, list[str]], t: GateThresholds) -> Gate:
    """The verdict. Each reason is a clause that stands alone."""
    reasons = []
    whole = len(accepted) + len(rejected)
    if len(rejected) > t.rejected * whole:
        common = Counter(reason for reasons in rejected.values() for reason in reasons).most_common(2)
        told = " and ".join(f"{reason} ({count})" for reason, count in common)
        reasons.append(
            f"{len(rejected)} of {whole} episodes were rejected, more than {t.rejected:.0%}; most often because {told}"
        )
    counts = Counter(rows["split"][0] for rows in accepted)
    for split, planned in planned_splits(dataset.plan).items():
        least = min(t.episodes, planned)
        if counts[split] < least:
            reasons.append(f"{counts[split]} accepted episodes are left of split {split}, fewer than {least}")
    if not accepted:
        reasons.append("no episode is left")
    return Gate(not reasons, tuple(reasons))


def planned_splits(plan: dict[str, Any]) -> dict[str, int]:
    """Split -> episodes that the plan asks for."""
    asked = {name: plan[name] for name in ("train", "val_seen", "val_unseen", "sealed") if name in plan}
    return {name: split["scenes"] * split["episodes"] for name, split in asked.items() if split["scenes"]}
