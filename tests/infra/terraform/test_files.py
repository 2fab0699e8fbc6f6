"""The cloud's files: well-formed, valid, and `terraform test` over them. `make cloud` applies and destroys them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.infra.terraform.trial import FILES, HOUSE, plugins, prepare, run

pytestmark = pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed here")


def test_files_are_formatted() -> None:
    done = run(FILES, "fmt", "-check", "-recursive")
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not plugins(), reason="terraform's AWS provider 5.100.0 lies in no folder here")
def test_files_are_valid_and_keep_their_promises(tmp_path: Path) -> None:
    prepare(tmp_path, None)
    shutil.copytree(FILES / "tests", tmp_path / "tests")
    done = run(tmp_path, "validate")
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(tmp_path, "test")
    assert done.returncode == 0 and "0 failed" in done.stdout, done.stdout + done.stderr


def test_outputs_are_what_the_overlay_takes() -> None:
    settings = yaml.safe_load((HOUSE / "infra/kubernetes/overlays/production/settings.yaml").read_text())["data"]
    text = (FILES / "outputs.tf").read_text()
    given = text[text.index('output "settings"') : text.index('output "registry"')]
    # The address of Prefect's page is nobody's but the gateway's.
    for name in settings.keys() - {"prefect-url"}:
        assert f"    {name} " in given, name


def test_what_lacks_is_said(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.infra.terraform.trial"]
    done = subprocess.run(command, cwd=HOUSE, env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip() == "cloud: NOT TRIED: terraform is not installed here"
