"""The flows as a person starts them on Prefect's page: headless Chromium on a real stack."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.local_stack import LocalStack

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
PATIENCE = 120.0


def browser_path() -> str | None:
    """A Chromium of the system; None = the one that Playwright has installed."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        yield browser.new_page(viewport={"width": 1300, "height": 1400})
        browser.close()


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def field(page: Page, title: str) -> Any:
    """The input of a form's field."""
    return page.locator(".schema-form-property", has=page.get_by_text(title)).locator("input, textarea").first


def test_a_flow_is_started_from_the_page_and_completes(
    page: Page, stack: LocalStack, smoke: Path, tmp_path: Path
) -> None:
    assert stack.backsight("deploy").returncode == 0
    api = stack.settings()["PREFECT_API_URL"]
    deployment = ask(f"{api}/deployments/name/collect/collect")["id"]
    page.goto(f"{api.removesuffix('/api')}/deployments/deployment/{deployment}/run")
    expect(page.get_by_text("Everything random in the stage follows from it.")).to_be_visible(timeout=20_000)
    field(page, "Preset").fill(str(smoke))
    field(page, "Seed").fill(str(SEED))
    page.screenshot(path=tmp_path / "form.png", full_page=True)
    page.get_by_role("button", name="Submit").click()
    expect(page).to_have_url_matching("runs/flow-run")
