"""Data Docs that can be read without a network: Great Expectations' own pages without what they load from afar."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path

from tasks.validate.judge import Report
from tasks.validate.quality import CheckResult, Quality

AFAR = re.compile(
    r"<script\b.*?</script>|<link\b[^>]*>|<img\b[^>]*/?>|<footer.*?</footer>"
    r"|<nav class=\"navbar.*?</nav>\s*</div>\s*</nav>",
    re.DOTALL,
)
"""Scripts, style sheets and logos that the library's pages fetch from content networks."""
ADDRESS = re.compile(r"https?://[^\s\"')]+|(?<=href=\")\.\./[^\"]*")
"""Addresses afar, and ways to pages of a site that is not built here."""
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; } th { text-align: left; }
td, th { padding: .25rem .75rem; border-bottom: 1px solid #8884; vertical-align: top; }
td:nth-child(n+4) { font-variant-numeric: tabular-nums; }
.good, .text-success { color: #0a7d38; } .bad, .text-danger { color: #c62828; } .text-warning { color: #b26a00; }
.badge { background: #8883; border-radius: .25rem; padding: 0 .35rem; }
.fa-check-circle::before { content: "\\2713"; } .fa-times::before { content: "\\2717"; }
.fa-exclamation-triangle::before { content: "!"; }
.card, .sticky, .ge-walkthrough-modal, #ge-cta-footer { display: none; }
"""


def write_docs(folder: Path, quality: Quality, reports: Sequence[Report]) -> list[Path]:
    """`index.html` with the verdict, and one page for each suite and table; relative links only."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {page_name(report): suite_page(report) for report in reports}
    pages["index.html"] = index_page(quality, reports)
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(folder / name for name in pages)


def page_name(report: Report) -> str:
    """File name of a report's page."""
    return f"{report.suite}-{report.table}.html"


def suite_page(report: Report) -> str:
    """The library's page of one result, made to stand alone."""
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    document = ValidationResultsPageRenderer().render(report.result)
    for section in document.sections:
        # The folded blocks hold times and random names: two runs over the same data are to give the same page.
        section.content_blocks = [b for b in section.content_blocks if b.content_block_type != "collapse"]
    return standing_alone(DefaultJinjaPageView().render(document))


def standing_alone(page: str) -> str:
    """A page that loads nothing: what comes from afar is cut out, and a style of our own put in."""
    page = ADDRESS.sub("#", AFAR.sub("", page))
    back = "<p><a href='index.html'>All suites</a></p>"
    return page.replace("</head>", f"<style>{STYLE}</style></head>", 1).replace("<body>", f"<body>{back}", 1)


def index_page(quality: Quality, reports: Sequence[Report]) -> str:
    """Verdict, checks that failed, rejected episodes, and the way to each suite."""
    verdict = "<b class='good'>passed</b>" if quality.passed else "<b class='bad'>did not pass</b>"
    links = "".join(f"<li><a href='{page_name(r)}'>{r.suite} ({r.table})</a></li>" for r in reports)
    episodes = [[name, "; ".join(reasons)] for name, reasons in quality.rejected.items()]
    return (
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Quality of a dataset</title>"
        f"<style>{STYLE}</style></head><body><h1>Quality</h1>"
        f"<p><code>{quality.dataset}</code> {verdict}: {quality.accepted} of {quality.episodes} episodes accepted.</p>"
        f"<ul class='bad'>{''.join(f'<li>{html.escape(reason)}</li>' for reason in quality.reasons)}</ul>"
        f"<h2>Checks</h2>{table(CHECK_HEADINGS, [check_row(check) for check in quality.checks])}"
        f"<h2>Strata</h2>{table(STRATUM_HEADINGS, [stratum_row(stratum) for stratum in quality.strata])}"
        f"<h2>Rejected episodes</h2>{table(['episode', 'reasons'], episodes) if episodes else '<p>None.</p>'}"
        f"<h2>All suites</h2><ul>{links}</ul></body></html>"
    )


STRATUM_HEADINGS = ["stratum", "episodes", "planned", "accepted"]
CHECK_HEADINGS = ["", "suite", "what would be wrong", "severity", "expected", "rows outside", "episodes"]


def check_row(check: CheckResult) -> list[str]:
    """A check as a row of words."""
    expected = ", ".join(
        f"{name.removesuffix('_value')} {value}" for name, value in check.expects.items() if value is not None
    )
    return [
        "\u2717" if check.failed else "\u2713",
        check.suite,
        check.reason,
        check.severity.value,
        f"{check.column}: {expected}" if expected else check.column,
        f"{check.failed} of {check.of}",
        str(check.episodes),
    ]


def stratum_row(stratum: dict[str, object]) -> list[str]:
    """A stratum as a row of words."""
    return [str(stratum["stratum"]), str(stratum["episodes"]), f"{stratum['planned']:.0%}", f"{stratum['share']:.0%}"]


def table(headings: list[str], rows: list[list[str]]) -> str:
    """An HTML table."""
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
