"""The flows as a person starts them on Prefect's page: headless Chromium on a real stack."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.local_stack import LocalStack, ask

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
SEED = 4711
PATIENCE = 60_000
"""Milliseconds; the machine may be busy."""


def browser_path() -> str | None:
    """A Chromium of the system; None = the one that Playwright has installed."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        yield browser.new_page(viewport={"width": 1300, "height": 1400})
        browser.close()


def field(page: Page, title: str) -> Locator:
    """The input of a form's field."""
    label = page.locator(".schema-form-property__label", has_text=title)
    return page.locator(".schema-form-property", has=label).locator("input, textarea").first


def runs_of(api: str, deployment: str) -> list[dict[str, Any]]:
    """All flow runs of a deployment."""
    return list(ask(f"{api}/flow_runs/filter", {"flow_runs": {"deployment_id": {"any_": [deployment]}}}))


def test_a_flow_is_started_from_the_page_and_completes(page: Page, stack: LocalStack, smoke: Path) -> None:
    """The form of `collect`: a preset is named, a number changed, the run submitted and seen to complete."""
    assert stack.backsight("deploy").returncode == 0
    api = stack.settings()["PREFECT_API_URL"]
    pages = api.removesuffix("/api")
    deployment = ask(f"{api}/deployments/name/collect/collect")["id"]
    before = {run["id"] for run in runs_of(api, deployment)}
    page.goto(f"{pages}/deployments/deployment/{deployment}/run")
    expect(page.get_by_text("Everything random in the stage follows from it.")).to_be_visible(timeout=PATIENCE)
    field(page, "Preset").fill(str(smoke))
    expect(field(page, "Seed")).to_have_value("0")
    field(page, "Seed").fill(str(SEED))
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("scheduled").first).to_be_visible(timeout=PATIENCE)
    (run,) = [run for run in runs_of(api, deployment) if run["id"] not in before]
    assert run["parameters"]["seed"] == SEED
    page.goto(f"{pages}/runs/flow-run/{run['id']}")
    expect(page.get_by_text("Completed", exact=True).first).to_be_visible(timeout=5 * PATIENCE)
    page.get_by_text("Artifacts", exact=True).first.click()
    expect(page.get_by_text("collect: succeeded").first).to_be_visible(timeout=PATIENCE)
