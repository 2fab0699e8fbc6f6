"""What `make install` decides; pip, apt and their like are small programs of the test's own on the PATH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local import install

Programs = Callable[..., Path]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Call it with `name=shell script` to have these programs, and no others, on the PATH; returns the log of calls."""
    folder, log = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def lay(**scripts: str) -> Path:
        for name, script in scripts.items():
            program = folder / name.replace("_", "-")
            program.write_text(f'#!/bin/sh\necho "{program.name} $*" >> {log}\n{script}\n')
            program.chmod(0o755)
        return log

    return lay


def test_missing_packages_are_installed_by_root(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = programs(dpkg_query='case "$4" in libgl1) printf installed;; esac', apt_get="exit 0")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    install.provide("mesa")
    assert "apt-get install -qq -y --no-install-recommends libegl1 libegl-mesa0 libgl1-mesa-dri" in calls.read_text()


def test_missing_packages_are_named_to_others(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = programs(dpkg_query="exit 1", apt_get="exit 0")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit) as left:
        install.provide("chromium")
    assert left.value.code == 1
    assert capsys.readouterr().err == "error: System packages are missing: run `sudo apt-get install chromium`.\n"
    assert "apt-get" not in calls.read_text()


def test_present_packages_are_left_alone(programs: Programs) -> None:
    calls = programs(dpkg_query="printf installed", apt_get="exit 0")
    install.provide("mesa")
    assert "apt-get" not in calls.read_text()


@pytest.mark.parametrize(("version", "cpu"), [("2.13.0", False), ("2.13.0+cpu", True)])
def test_pip_is_asked_which_torch_it_would_take(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, cpu: bool
) -> None:
    report = json.dumps({"install": [{"metadata": {"version": version}}]})
    calls = programs(python=f"echo '{report}'")
    monkeypatch.setattr(install, "PYTHON", tmp_path / "bin" / "python")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert install.pip_offers_cpu_build("torch==2.13.0") is cpu
    assert "--dry-run" in calls.read_text()


@pytest.mark.parametrize(("answers", "found"), [("exit 0", True), ("exit 9", False)])
def test_a_gpu_counts_when_it_answers(programs: Programs, answers: str, found: bool) -> None:
    assert not install.has_gpu()
    programs(nvidia_smi=answers)
    assert install.has_gpu() is found


@pytest.mark.parametrize(
    ("gpu", "offered", "tool"), [(True, False, "python"), (False, True, "python"), (False, False, "uv")]
)
def test_torch_fits_the_machine(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gpu: bool, offered: bool, tool: str
) -> None:
    calls = programs(python="exit 0", uv="exit 0")
    monkeypatch.setattr(install, "PYTHON", tmp_path / "bin" / "python")
    monkeypatch.setattr(install, "UV", tmp_path / "bin" / "uv")
    monkeypatch.setattr(install, "has_gpu", lambda: gpu)
    monkeypatch.setattr(install, "pip_offers_cpu_build", lambda _: offered)
    install.install_torch()
    installing = [call for call in calls.read_text().splitlines() if " install " in f"{call} "]
    assert len(installing) == 1
    assert installing[0].startswith(tool)
    assert install.torch_requirement() in installing[0]
    assert ("--torch-backend=cpu" in installing[0]) == (tool == "uv")


def test_the_lock_is_exact_and_names_no_place() -> None:
    lines = install.LOCK.read_text().splitlines()
    assert all("==" in line for line in lines)
    assert not any("://" in line or line.startswith("-") for line in lines)
    assert not any(line.startswith(("torch==", "triton==", "nvidia-", "cuda-")) for line in lines)


def test_a_changed_lock_means_installing_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(install, "PYTHON", Path(sys.executable))
    assert not install.installed()
    install.STAMP.write_text(install.origin())
    assert install.installed()
    monkeypatch.setattr(install, "LOCK", tmp_path / "lock")
    install.LOCK.write_text("click==0")
    assert not install.installed()


def test_it_runs_where_nothing_is_installed() -> None:
    bare = subprocess.run([sys.executable, "-I", "-S", "-c", install_import()], capture_output=True, text=True)
    assert bare.returncode == 0, bare.stderr


def install_import() -> str:
    return f"import runpy; runpy.run_path({str(Path(install.__file__))!r}, run_name='not_main')"


def test_an_extra_is_installed_once_and_without_its_pins(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = tmp_path / "extra.lock"
    lock.write_text("habitat-lab==1.0\nnumba==2.0\n")
    calls = programs(python='case "$2" in *1.0*) [ -e "$0.there" ];; esac', uv='touch "${0%uv}python.there"')
    monkeypatch.setattr(install, "PYTHON", tmp_path / "bin" / "python")
    monkeypatch.setattr(install, "UV", tmp_path / "bin" / "uv")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    for _ in range(2):
        install.add("habitat-lab", lock)
    (line,) = [line for line in calls.read_text().splitlines() if line.startswith("uv ")]
    assert "--no-deps" in line and line.endswith(f"-r {lock}")
