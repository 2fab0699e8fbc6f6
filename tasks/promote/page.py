"""The verdict as a page: the ruling, the reason, the intervals, the table."""

from __future__ import annotations

from tasks.evaluation import Evaluation
from tasks.promote.verdict import Verdict
from tasks.report import metrics_markdown, signed
from tasks.spec import ManifestId
from tasks.summary import METRICS


def verdict_page(verdict: Verdict, id: ManifestId, mine: Evaluation, champion: Evaluation | None) -> str:
    """Markdown for people; the same facts as `verdict.json`."""
    decision, policy = verdict.decision, verdict.policy
    lines = [f"# {decision.ruling.value}: {verdict.registered}", "", decision.reason, ""]
    if decision.gain is not None:
        least = f"more than {policy.minimum_gain:g}"
        lines += ["| | gain | needed |", "| --- | --- | --- |"]
        lines.append(f"| {METRICS[policy.primary].label} (primary) | {signed(decision.gain)} | {least} |")
        for name, gain in decision.guards.items():
            lines.append(f"| {METRICS[name].label} (guard) | {signed(gain)} | more than -{policy.guards[name]:g} |")
        lines.append("")
    lines += [metrics_markdown(mine, champion), ""]
    named = {
        "verdict": id,
        "challenger": verdict.checkpoint,
        "champion": verdict.champion or f"none yet; {verdict.rival} instead",
        "evaluation": verdict.evaluation,
        "dataset": verdict.dataset,
    }
    lines += [f"- {name}: `{value}`" for name, value in named.items()]
    return "\n".join(lines) + "\n"
