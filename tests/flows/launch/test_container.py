"""The container launcher beyond the contract: engines and images that are not there, and what stays unreadable."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.launch import JobState
from flows.launch.container import ContainerLauncher
from tasks.errors import BacksightError, UsageError
from tests.flows.launch.benches import SMALL, ContainerBench, act


def test_an_engine_that_does_not_answer(tmp_path: Path) -> None:
    launcher = ContainerLauncher({"trainer": "t:1"}, f"unix://{tmp_path}/docker.sock")
    with pytest.raises(BacksightError, match=r"No container engine answers at unix://.*docker\.sock"):
        launcher.start(act("answer()"))


def test_an_image_that_is_nowhere(docker: ContainerBench) -> None:
    launcher = docker.launcher(images={"trainer": "registry.invalid/missing:1"})
    with pytest.raises(BacksightError, match=r"The image registry\.invalid/missing:1 of act cannot be had"):
        launcher.start(act("answer()", "missing-1"))
    assert launcher.attach("missing-1") is None


def test_an_engine_without_gpus(docker: ContainerBench) -> None:
    with pytest.raises(BacksightError, match="it has no GPU to give"):
        docker.launcher().start(act("answer()", "gpu-1", resources=SMALL.model_copy(update={"gpus": 1})))
    assert docker.launcher().attach("gpu-1") is None


def test_secrets_lie_in_the_containers_home_not_in_its_settings(docker: ContainerBench, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="looks like a secret"):
        docker.launcher().start(act("answer()", "secret-1", {"BACKSIGHT_S3_SECRET_KEY": "x"}))
    (tmp_path / "stack.env").write_text("BACKSIGHT_S3_SECRET_KEY=not to be shown")
    launcher = docker.launcher(platform=tmp_path / "stack.env")
    script = "import os; assert 'not to be' in open(os.environ['HOME'] + '/stack.env').read(); answer()"
    handle = launcher.start(act(script, "secret-1"))
    list(launcher.follow(handle))
    ending = launcher.ending(handle)
    assert ending is not None and ending.state is JobState.SUCCEEDED
    container = launcher.client.containers.get("backsight-secret-1-1")
    assert "not to be shown" not in str(container.attrs)


def test_a_container_that_another_process_is_still_making_is_waited_for(
    docker: ContainerBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine takes a container's name before it lists the container: a second start falls between the two."""
    first, second = docker.launcher(), docker.launcher()
    handle = first.start(act("import time; time.sleep(30)", "slow-1"))
    looks, find = iter([True] * 3), second._find
    monkeypatch.setattr(second, "attach", lambda name: None)
    monkeypatch.setattr(second, "_find", lambda h: None if next(looks, False) else find(h))
    assert second.start(act("", "slow-1")) == handle
    assert next(looks, None) is None and second.ending(handle) is None
    first.cancel(handle)
