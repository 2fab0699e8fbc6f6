"""Runs the checks with Great Expectations and says which episodes failed which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.errors import BacksightError
from tasks.validate.checks import Check, Severity
from tasks.validate.library import remembered_configurations

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.data_context import AbstractDataContext
    from great_expectations.datasource.fluent.interfaces import Batch
    from pandas import DataFrame

NAMED = {Severity.REJECT: "critical", Severity.WARN: "warning", Severity.INFO: "info"}
"""Our severities in the words of Great Expectations."""


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: Check
    failed: int
    """Rows outside."""
    of: int
    """Rows looked at."""
    episodes: tuple[str, ...]
    """Episodes with a row outside, sorted; empty for tables that are not about episodes."""


@dataclass(frozen=True)
class Report:
    """The findings on one table under one heading, and the library's own result, from which its page is made."""

    suite: str
    table: str
    findings: tuple[Finding, ...]
    result: ExpectationSuiteValidationResult


def judge(tables: dict[str, DataFrame], checks: Sequence[Check]) -> list[Report]:
    """All checks whose table is given and holds rows, grouped by heading and table."""
    context = new_context()
    groups: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        if check.table in tables and len(tables[check.table]):
            groups.setdefault((check.suite, check.table), []).append(check)
    batches = {table: batch_of(context, table, tables[table]) for table in sorted({table for _, table in groups})}
    with remembered_configurations():
        return [run(batches[table], suite, table, tables[table], some) for (suite, table), some in groups.items()]


def new_context() -> AbstractDataContext:
    """A context in memory that writes no site of its own, sends nothing and draws no bars."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def batch_of(context: AbstractDataContext, table: str, data: DataFrame) -> Batch:
    """A table as the library takes it."""
    source = context.data_sources.add_or_update_pandas(table)
    return source.add_dataframe_asset(table).add_batch_definition_whole_dataframe("all").get_batch({"dataframe": data})


def run(batch: Batch, suite: str, table: str, data: DataFrame, checks: list[Check]) -> Report:
    """The checks of one heading on one table."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    key = [name for name in ("episode", "frame") if name in data.columns] or ["stratum"]
    expectations = [
        getattr(gxe, check.expectation)(
            **check.arguments, severity=NAMED[check.severity], notes=check.reason, meta={"check": number}
        )
        for number, check in enumerate(checks)
    ]
    result = batch.validate(
        gx.ExpectationSuite(name=f"{suite} ({table})", expectations=expectations),
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": key,
            "return_unexpected_index_query": False,
        },
    )
    by_number = {one.expectation_config.meta["check"]: one for one in result.results if one.expectation_config}
    findings = tuple(finding(check, by_number[number], data) for number, check in enumerate(checks))
    return Report(suite, table, findings, result)


def finding(check: Check, outcome: Any, data: DataFrame) -> Finding:
    """One outcome of the library as a finding; a check that could not be run is a failure of ours, and raises."""
    if outcome.exception_info.get("raised_exception"):
        said = " ".join(str(outcome.exception_info["exception_message"]).split())
        raise BacksightError(f"The check of {check.column} in {check.table} could not be run ({said}).")
    outside = outcome.result.get("unexpected_index_list") or []
    episodes = {row["episode"] for row in outside if "episode" in row}
    return Finding(check, len(outside), len(data), tuple(sorted(episodes)))
