"""A whole night in the profile `container`: each stage in an image that `images/build.sh` built, on a real engine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flows.launch.container import STAGE
from tests.chaos.containers import containers, swept
from tests.containers import stages_in_containers
from tests.local_stack import LocalStack

IMAGES = "BACKSIGHT_TEST_IMAGES"
STAGES = ["collect", "evaluate", "finetune", "geometry", "joint", "pretrain", "promote", "validate"]

pytestmark = pytest.mark.skipif(
    IMAGES not in os.environ,
    reason=f"wants an engine and images: {IMAGES}=DIR, as `images/build.sh --save DIR collector trainer` writes",
)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The profile's variables, on the engine that answers or one of the test's own."""
    with ExitStack() as held:
        variables = held.enter_context(stages_in_containers(tmp_path / "engine", Path(os.environ[IMAGES])))
        held.enter_context(swept(variables["BACKSIGHT_LAUNCH_ENGINE"]))
        yield variables


def night(stack: LocalStack, smoke: Path) -> None:
    """A night on a stack of its own, and the same once more."""
    first = stack.backsight("run", "nightly", "--preset", str(smoke), "--watch")
    assert first.returncode == 0, first.stdout + first.stderr
    again = stack.backsight("run", "nightly", "--preset", str(smoke), "--watch")
    known = re.findall(r"^  ([a-z-]+) +known", again.stdout, re.MULTILINE)
    assert again.returncode == 0 and sorted(known) == STAGES, again.stdout + again.stderr


def test_a_night_in_containers_leaves_none_running(launch: dict[str, str], tmp_path: Path, smoke: Path) -> None:
    stack = LocalStack(tmp_path / "home", launch)
    try:
        stack.up()
        night(stack, smoke)
    finally:
        stack.down()
    ended = containers(stack.engine, ended=True)
    assert sorted(container.labels[STAGE] for container in ended) == STAGES
    assert {container.attrs["State"]["ExitCode"] for container in ended} == {0}
    assert containers(stack.engine) == []
