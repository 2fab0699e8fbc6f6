"""The verdict as one self-contained HTML page: the ruling, the evidence as it grew, each guard beside its margin."""

from __future__ import annotations

import math
from html import escape

from tasks.promote.gate import Decision, Ruling, Trial, ratio
from tasks.promote.guards import LABELS, State
from tasks.promote.page import STATES, course, findings, named
from tasks.promote.spec import Policy
from tasks.promote.verdict import Verdict
from tasks.report import signed
from tasks.spec import ManifestId
from tasks.summary import METRICS, Estimate

COLOURS = {
    Ruling.PROMOTE: "#0b6e4f",
    Ruling.KEEP: "#4a5560",
    Ruling.REFUSE: "#a4262c",
    Ruling.INCONCLUSIVE: "#8a6d00",
}

MARKS = {State.HOLDS: "#0b6e4f", State.LOST: "#a4262c", State.UNPROVEN: "#8a6d00"}

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1d252c;background:#fff}
h1{font-size:1.7rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}
.ruling{color:#fff;padding:.1rem .7rem;border-radius:.4rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #dfe4e8;vertical-align:top}
code{font-size:.8rem;overflow-wrap:anywhere}
svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#4a5560}
"""

WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 800, 260, 70, 20, 40, 20
ROW = 34


def verdict_html(verdict: Verdict, id: ManifestId) -> str:
    """The page; the same facts as `verdict.json`."""
    decision = verdict.decision
    badge = f'<span class="ruling" style="background:{COLOURS[decision.ruling]}">{decision.ruling.value}</span>'
    parts = [f"<h1>{badge} {escape(verdict.registered)}</h1>", f"<p>{escape(decision.reason)}</p>"]
    if rows := findings(decision, verdict.policy):
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        header = "<tr><th></th><th>gain, with its interval</th><th>needed</th><th></th></tr>"
        parts += ["<h2>What was asked and what was found</h2>", f"<table>{header}{body}</table>"]
    if decision.sealed is not None:
        parts.append(f"<p>On the sealed scenes, opened for this verdict: gain {escape(signed(decision.sealed))}.</p>")
    if decision.trial is not None:
        parts += [
            "<h2>The evidence as it grew</h2>",
            evidence(decision.trial),
            f"<p>{escape(course(decision.trial))}</p>",
        ]
    if decision.guards:
        parts += ["<h2>Guards: gains beside what may be lost</h2>", guards(decision, verdict.policy)]
    facts = {**named(verdict, id), "measured": f"{verdict.views} views, {verdict.scenes} scenes of {verdict.split}"}
    facts["primary metric"] = METRICS[verdict.policy.primary].label
    table = "".join(f"<tr><th>{n}</th><td><code>{escape(v)}</code></td></tr>" for n, v in facts.items())
    parts += ["<h2>What the verdict speaks of</h2>", f"<table>{table}</table>"]
    title = f"{decision.ruling.value}: {escape(verdict.registered)}"
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def evidence(trial: Trial) -> str:
    """Evidence for and against a gain by scenes, on a logarithmic scale, with what a promotion needs."""
    top = 1.15 * max([trial.needed, *(max(look.evidence, look.against) for look in trial.looks)])
    low = min([0.0, *(min(look.evidence, look.against) for look in trial.looks)])

    def place(scenes: float, logarithm: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * scenes / trial.planned
        return across, TOP + (HEIGHT - TOP - BOTTOM) * (1 - (logarithm - low) / (top - low))

    def line(points: list[tuple[float, float]], colour: str) -> str:
        shown = [place(*point) for point in points]
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in shown[1:])
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in shown)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>{dots}'

    def rule(logarithm: float, text: str, dash: str) -> str:
        (x0, y), (x1, _) = place(0, logarithm), place(trial.planned, logarithm)
        stroke = f'stroke="#9aa5ae" stroke-dasharray="{dash}"'
        label = f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        return f'<line x1="{x0}" y1="{y:.1f}" x2="{x1}" y2="{y:.1f}" {stroke}/>{label}'

    x, y = place(0, trial.needed)
    drawn = [
        rule(0.0, "1 : 1", "0"),
        rule(trial.needed, f"{ratio(trial.needed)} : 1", "6 4"),
        f'<text x="{x + 6}" y="{y - 6:.1f}">needed for a promotion</text>',
        line([(0, 0.0), *((look.scenes, look.against) for look in trial.looks)], "#b9c2c9"),
        line([(0, 0.0), *((look.scenes, look.evidence) for look in trial.looks)], "#0b6e4f"),
    ]
    for scenes in sorted({trial.planned, *(look.scenes for look in trial.looks)}):
        drawn.append(f'<text x="{place(scenes, low)[0]:.1f}" y="{HEIGHT - 22}" text-anchor="middle">{scenes}</text>')
    key = "scenes looked at · green: evidence of a gain · grey: evidence of none"
    drawn.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 4}" text-anchor="middle">{key}</text>')
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="evidence by scenes">{"".join(drawn)}</svg>'


def guards(decision: Decision, policy: Policy) -> str:
    """Each guard's interval in units of its margin: left of the dashed line more is lost than may be."""
    rows = [(name, gain) for name, gain in decision.guards.items() if gain.value is not None]
    height = ROW * len(rows) + 30
    zero, unit = 420.0, 110.0
    margin = zero - unit
    drawn = [
        f'<line x1="{zero}" y1="0" x2="{zero}" y2="{height - 30}" stroke="#b9c2c9"/>',
        f'<line x1="{margin}" y1="0" x2="{margin}" y2="{height - 30}" stroke="#a4262c" stroke-dasharray="6 4"/>',
        f'<text x="{margin}" y="{height - 10}" text-anchor="middle">margin</text>',
        f'<text x="{zero}" y="{height - 10}" text-anchor="middle">no loss</text>',
    ]
    for number, (name, gain) in enumerate(rows):
        y = ROW * number + ROW / 2
        colour = MARKS[decision.states[name]]
        low, value, high = (zero + unit * clipped(v, policy.guards[name]) for v in ends(gain))
        drawn += [
            f'<text x="0" y="{y + 4}">{LABELS[name]}</text>',
            f'<line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}" stroke="{colour}" stroke-width="4"/>',
            f'<circle cx="{value:.1f}" cy="{y}" r="6" fill="{colour}"/>',
            f'<text x="{WIDTH}" y="{y + 4}" text-anchor="end">{STATES[decision.states[name]]}</text>',
        ]
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="guards">{"".join(drawn)}</svg>'


def ends(gain: Estimate) -> tuple[float, float, float]:
    """Low, value and high; the value stands for an end that is not known."""
    value = gain.value or 0.0
    return (value if gain.low is None else gain.low), value, (value if gain.high is None else gain.high)


def clipped(gain: float, margin: float) -> float:
    """A gain in margins, bent so that far ones still fit: the margin stays at -1."""
    share = gain / margin if margin else math.copysign(2.0, gain) if gain else 0.0
    return share if abs(share) <= 1 else math.copysign(min(1 + math.log10(abs(share)), 2.6), share)
