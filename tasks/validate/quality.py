"""The quality report that travels with a validated dataset (`quality.json`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.spec import Frozen, ManifestId
from tasks.validate.checks import Severity
from tasks.validate.judge import Finding, Report

if TYPE_CHECKING:
    from pandas import DataFrame

EXAMPLES = 10
QUANTILES = {"least": 0.0, "p5": 0.05, "median": 0.5, "p95": 0.95, "most": 1.0}


class CheckResult(Frozen):
    """What one check found."""

    suite: str
    table: str
    column: str
    expects: dict[str, Any]
    severity: Severity
    reason: str
    failed: int
    of: int
    episodes: int
    examples: list[str]


class Quality(Frozen):
    """The verdict on a dataset and all that it rests on."""

    dataset: ManifestId
    """The dataset as collected."""
    passed: bool
    reasons: list[str]
    """Why it did not pass."""
    episodes: int
    """As collected."""
    accepted: int
    rejected: dict[str, list[str]]
    """Episode -> reasons."""
    checks: list[CheckResult]
    strata: list[dict[str, Any]]
    """Planned and real share of each stratum among the accepted episodes."""
    statistics: dict[str, dict[str, float]]
    """Column -> its quantiles over all frames or episodes."""
    thresholds: dict[str, Any]


def check_results(reports: Sequence[Report]) -> list[CheckResult]:
    """All findings, those that failed first."""
    findings = [finding for report in reports for finding in report.findings]
    return [check_result(finding) for finding in sorted(findings, key=lambda finding: finding.failed == 0)]


def check_result(finding: Finding) -> CheckResult:
    """One finding as it is reported."""
    check = finding.check
    return CheckResult(
        suite=check.suite,
        table=check.table,
        column=check.column,
        expects={name: value for name, value in check.arguments.items() if name not in ("column", "column_list")},
        severity=check.severity,
        reason=check.reason,
        failed=finding.failed,
        of=finding.of,
        episodes=len(finding.episodes),
        examples=list(finding.episodes[:EXAMPLES]),
    )


def statistics(tables: dict[str, DataFrame]) -> dict[str, dict[str, float]]:
    """Quantiles of all numbers that were measured."""
    found: dict[str, dict[str, float]] = {}
    for name in ("frames", "episodes"):
        numbers = tables[name].select_dtypes("number").drop(columns="frame", errors="ignore")
        for column in numbers:
            values = numbers[column].to_numpy(float)
            values = values[np.isfinite(values)]
            if values.size:
                quantiles = np.quantile(values, list(QUANTILES.values()))
                found[f"{name}.{column}"] = {k: round(float(q), 6) for k, q in zip(QUANTILES, quantiles, strict=True)}
    return found
