"""Who may import whom: flows -> infra -> tasks -> model, and no orchestration or storage where it does not belong."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

LINTER = Path(sysconfig.get_path("scripts")) / "lint-imports"
HOUSE = Path(__file__).resolve().parent.parent


def test_the_arrows_run_one_way() -> None:
    linted = subprocess.run([LINTER, "--no-cache"], cwd=HOUSE, capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout


def test_an_arrow_that_runs_back_is_found(tmp_path: Path) -> None:
    for package, line in {"model": "import tasks", "tasks": "import prefect", "flows": "", "infra": ""}.items():
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(line)
    (tmp_path / "pyproject.toml").write_text((HOUSE / "pyproject.toml").read_text())
    linted = subprocess.run([LINTER, "--no-cache"], cwd=tmp_path, capture_output=True, text=True)
    assert linted.returncode == 1
    assert "model -> tasks" in linted.stdout
    assert "tasks -> prefect" in linted.stdout
