"""Makes `.venv` with everything in it, and sees to the system packages that the rest needs: `make install` runs this.

Run by any Python >= 3.11 with nothing installed, so it uses the standard library alone. A stamp in `.venv` tells what
that was made from; while it is unchanged, a second run does nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

HOUSE = Path(__file__).resolve().parents[2]
VENV = HOUSE / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
LOCK = HOUSE / "requirements.lock"
STAMP = VENV / "installed-from"
OLDEST = (3, 11)

SYSTEM_PACKAGES = {
    "mesa": ("libegl1", "libegl-mesa0", "libgl1", "libgl1-mesa-dri"),
    "chromium": ("chromium",),
}
"""Wish -> Debian packages: Mesa renders the scenes where there is no GPU, Chromium drives the pages in the tests."""
EXTRAS = {"habitat": ("habitat-lab", HOUSE / "infra" / "local" / "habitat.lock")}
"""Wish -> a Python package and the locked list that brings it. habitat-lab's own pins (numpy 1.26) are not ours, so
they are passed over: the tests walk in it with our numpy."""


def main(wishes: list[str]) -> None:
    """Install the Python environment and the wished system packages."""
    if sys.version_info < OLDEST:
        give_up(
            f"Python {'.'.join(map(str, OLDEST))} or newer is needed, not {platform.python_version()}: set PYTHON=."
        )
    for wish in wishes:
        if wish not in EXTRAS:
            provide(wish)
    if not installed():
        install()
    for wish in wishes:
        if wish in EXTRAS:
            add(*EXTRAS[wish])


def installed() -> bool:
    """Whether `.venv` works and was made from the present lock."""
    return STAMP.exists() and STAMP.read_text() == origin() and runs(str(PYTHON), "-c", "")


def origin() -> str:
    """Digest of what the environment is made from."""
    sources = (LOCK, HOUSE / "pyproject.toml", Path(__file__))
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest() + "\n"


def install() -> None:
    """Make the environment, or bring it to the present lock."""
    if not runs(str(PYTHON), "-m", "pip", "--version"):
        make_venv()
    pins = dict(line.split("==", 1) for line in LOCK.read_text().splitlines() if "==" in line)
    say(f"installing the locked packages into {VENV}")
    do(str(PYTHON), "-m", "pip", "install", "--quiet", f"uv=={pins['uv']}")
    install_torch()
    # Half of the start of every process would go into compiling, again and again where Python may not keep bytecode.
    do_uv("install", "--no-deps", "--compile-bytecode", "-r", str(LOCK))
    do_uv("install", "--no-deps", "-e", str(HOUSE))
    STAMP.write_text(origin())


def add(package: str, lock: Path) -> None:
    """Install an extra into `.venv` unless it is there as locked."""
    pins = dict(line.split("==", 1) for line in lock.read_text().splitlines() if "==" in line)
    there = f"import importlib.metadata as m; assert m.version('{package}') == '{pins[package]}'"
    if not runs(str(PYTHON), "-c", there):
        say(f"installing {package} and what it needs into {VENV}")
        do_uv("install", "--no-deps", "-r", str(lock))


def make_venv() -> None:
    """A fresh virtual environment with pip."""
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True)
    if done.returncode != 0:
        words = " ".join((done.stdout + done.stderr).split())
        give_up(f"{VENV} could not be made (on Debian, the package python3-venv is needed): {words[-300:]}")


def install_torch() -> None:
    """Torch for this machine: with CUDA where a GPU answers, else for the CPU alone (a tenth of the size)."""
    wanted = torch_requirement()
    if wanted == f"torch=={installed_torch()}":
        return
    if has_gpu() or pip_offers_cpu_build(wanted):
        do(str(PYTHON), "-m", "pip", "install", "--quiet", wanted)
    else:
        do_uv("install", wanted, "--torch-backend=cpu")


def torch_requirement() -> str:
    """`torch==<version>` as pyproject.toml has it."""
    import tomllib

    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    return next(name for name in project["dependencies"] if name.startswith("torch=="))


def installed_torch() -> str:
    """Version of the torch in `.venv`, without its build; empty where there is none."""
    asked = subprocess.run([str(PYTHON), "-m", "pip", "show", "torch"], capture_output=True, text=True)
    lines = [line for line in asked.stdout.splitlines() if line.startswith("Version: ")]
    return lines[0].removeprefix("Version: ").partition("+")[0] if lines else ""


def has_gpu() -> bool:
    """Whether an NVIDIA GPU answers."""
    return runs("nvidia-smi")


def pip_offers_cpu_build(requirement: str) -> bool:
    """Whether pip, as it is configured here, would by itself take a build without CUDA.

    So it is on systems for which PyPI has no other, and where a folder of wheels is configured that holds one.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return True
    command = [str(PYTHON), "-m", "pip", "install", "--dry-run", "--no-deps", "--quiet", "--report", "-", requirement]
    asked = subprocess.run([*command, "--ignore-installed"], capture_output=True, text=True)
    if asked.returncode != 0:
        return False
    version: str = json.loads(asked.stdout)["install"][0]["metadata"]["version"]
    return version.endswith("+cpu")


def provide(wish: str) -> None:
    """See that Debian packages are there: install them as root, else say which are missing."""
    packages = SYSTEM_PACKAGES[wish]
    if not shutil.which("dpkg-query"):
        return say(f"this is no Debian: {wish} must be there already (there it is {' '.join(packages)})")
    missing = [package for package in packages if not has_package(package)]
    if not missing:
        return None
    if os.geteuid() != 0:
        give_up(f"System packages are missing: run `sudo apt-get install {' '.join(missing)}`.")
    say(f"installing the system packages {' '.join(missing)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    do("apt-get", "update", "-qq", environment=quiet)
    do("apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing, environment=quiet)
    return None


def has_package(name: str) -> bool:
    """Whether a Debian package is installed."""
    asked = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", name], capture_output=True, text=True)
    return asked.stdout == "installed"


def runs(*command: str) -> bool:
    """Whether a command exists and succeeds; its output is not shown."""
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def do_uv(*words: str) -> None:
    """A `uv pip` command on `.venv`."""
    do(str(UV), "pip", words[0], "--quiet", "--python", str(PYTHON), *words[1:])


def do(*command: str, environment: dict[str, str] | None = None) -> None:
    """Run a command to its end, its output on our stderr; give up where it fails."""
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    if done.returncode != 0:
        give_up(f"`{' '.join(command)}` failed with code {done.returncode}: see its words above.")


def say(line: str) -> None:
    """A line for the person who waits."""
    print(line, file=sys.stderr, flush=True)


def give_up(sentence: str) -> NoReturn:
    """Leave with a sentence that says what is wrong and what to do."""
    say(f"error: {sentence}")
    raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
