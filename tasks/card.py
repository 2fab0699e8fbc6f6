"""The model card: what a model is for, what it was made from, how well it does and where it does worst; markdown."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.evaluation import MODEL, Evaluation
from tasks.report import metrics_markdown, walkers_table, written
from tasks.summary import METRICS

PURPOSE = (
    "Given keyframes of a walk, the view now and an instruction, it draws for every keyframe a heatmap of where the "
    "place that it saw lies in the view now, with the probability that it is not in view, and says where to go next."
)
LIMITS = (
    "Measured in simulated buildings only. Depth and pose are taken as they come: the figures say nothing of a robot "
    "whose localisation drifts. It is no safety function; do not let it alone decide where a machine moves."
)


def model_card(evaluation: Evaluation, verdict: str = "", cost: Mapping[str, float] | None = None) -> str:
    """The card. `verdict` = the gate's reason, `cost` = what `read_cost` gives; what is unknown is left out."""
    lines = ["# Model card", "", PURPOSE, "", "## Made from", ""]
    lines += [f"- checkpoint `{evaluation.checkpoint}`, measured on dataset `{evaluation.dataset}`"]
    lines += [f"- seeds, walks and stages: `backsight lineage {evaluation.checkpoint[:23]}`"]
    if verdict:
        lines += [f"- the gate's verdict: {verdict}"]
    asked = f"{evaluation.views} views, {evaluation.scenes} scenes of {evaluation.split} that training has not seen"
    lines += ["", f"## Figures ({asked})", "", metrics_markdown(evaluation)]
    if walked := walkers_table(evaluation):
        rule = ["---", *["---:"] * (len(walked[0]) - 1)]
        lines += ["", "Walking where its maps of the next waypoint lead:", ""]
        lines += ["| " + " | ".join(row) + " |" for row in (walked[0], rule, *walked[1:])]
    if cost:
        lines += ["", f"One view takes {1000 * cost['latency']:.0f} ms where it was measured, one at a time; "]
        lines[-1] += f"weights (on a GPU: the peak) take {cost['memory'] / 1e6:.1f} MB."
    lines += ["", "## Where it does worst", "", worst(evaluation), "", "## Limits", "", LIMITS]
    return "\n".join(lines) + "\n"


def worst(evaluation: Evaluation) -> str:
    """The manner of walking with the largest error, beside the others."""
    found = {name: systems[MODEL]["kld"] for name, systems in evaluation.strata.items() if MODEL in systems}
    told = {name: e for name, e in found.items() if e.value is not None}
    if not told:
        return "The manners of walking were not told apart."
    ordered = sorted(told, key=lambda name: -(told[name].value or 0.0))
    others = ", ".join(f"`{name}` {written(told[name].value)}" for name in ordered[1:])
    first = ordered[0]
    return f"{METRICS['kld'].label} is largest in walks of the stratum `{first}`: {written(told[first].value)}" + (
        f" ({others})." if others else "."
    )
