"""The train stage: what it publishes, what it refuses, and how its ranks end together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from model.training.config import PhaseConfig
from model.training.ranks import World
from tasks.errors import BacksightError, DataError, UsageError
from tasks.spec import ManifestId, Outcome, StageResult
from tasks.stage import execute, key_of
from tasks.store import ArtefactStore, Manifest
from tasks.train.spec import TrainSpec
from tasks.train.train import FINISHED, RESUME, Meeting, find_resume, work_of
from tests.box_world import write_dataset
from tests.published import NETWORK, box_dataset, stored_json

PHASE = PhaseConfig(steps=3, batch=4, losses={"heatmap": 1.0}, log_every=1, workers=0, zero=0)


@pytest.fixture
def dataset(store: ArtefactStore, tmp_path: Path) -> ManifestId:
    return box_dataset(store, tmp_path, unseen=1)


def spec_of(dataset: ManifestId, **changes: object) -> TrainSpec:
    return TrainSpec(**{"stage": "finetune", "dataset": dataset, "network": NETWORK, "phase": PHASE, **changes})


def run(spec: TrainSpec) -> StageResult:
    return execute(spec, work_of(Meeting(World())))


def test_a_phase_publishes_a_checkpoint_that_the_next_goes_on_from(
    store: ArtefactStore, home: Path, dataset: ManifestId
) -> None:
    first = run(spec_of(dataset, stage="pretrain", phase=PHASE.model_copy(update={"losses": {"goal": 1.0}})))
    manifest = store.manifest(first.outputs["checkpoint"])
    assert manifest.kind == "checkpoint" and manifest.inputs == {"dataset": dataset}
    assert set(manifest.blobs) == {"weights.safetensors", "config.json", "tokenizer.json", "history.json"}
    assert manifest.meta["phase"] == "pretrain" and manifest.meta["steps"] == 3
    assert stored_json(store, first.outputs["checkpoint"], "history.json")["steps"] == [1, 2, 3]
    assert first.metrics["loss/goal"] == first.metrics["loss"] == manifest.meta["losses"]["goal"]

    second = run(spec_of(dataset, init=first.outputs["checkpoint"]))
    assert store.manifest(second.outputs["checkpoint"]).inputs["init"] == first.outputs["checkpoint"]
    assert second.outcome is Outcome.SUCCEEDED


def test_the_same_seed_gives_the_same_checkpoint_and_another_seed_another(
    store: ArtefactStore, home: Path, dataset: ManifestId
) -> None:
    again = [
        execute(spec_of(dataset, seed=seed), work_of(Meeting(World())), force=True).outputs["checkpoint"]
        for seed in (0, 0, 1)
    ]
    assert again[0] == again[1] != again[2]


def test_a_dataset_that_nobody_found_good_is_refused(store: ArtefactStore, home: Path, tmp_path: Path) -> None:
    unknown = box_dataset(store, tmp_path / "a", unseen=1, quality={})
    with pytest.raises(UsageError, match="has not been validated"):
        run(spec_of(unknown))
    bad = box_dataset(store, tmp_path / "b", unseen=1, quality={"passed": False, "reasons": ["too dark"]})
    with pytest.raises(UsageError, match=r"did not pass validation .too dark."):
        run(spec_of(bad))


def test_a_checkpoint_of_another_architecture_is_refused_by_name(
    store: ArtefactStore, home: Path, dataset: ManifestId
) -> None:
    made = run(spec_of(dataset)).outputs["checkpoint"]
    wider = NETWORK.model_copy(update={"language": NETWORK.language.model_copy(update={"width": 64})})
    with pytest.raises(DataError, match=r"another architecture: network.language.width is 32 in it and 64 here"):
        run(spec_of(dataset, init=made, network=wider))
    with pytest.raises(DataError, match="is a dataset, not a checkpoint"):
        run(spec_of(dataset, init=dataset))


def test_a_gpu_that_is_not_there_is_missed_in_one_sentence(
    store: ArtefactStore, home: Path, dataset: ManifestId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UsageError, match="asks for a GPU for rank 0, but this machine has 0"):
        run(spec_of(dataset, phase=PHASE.model_copy(update={"device": "cuda"})))


def test_a_full_disk_is_noticed_before_the_first_step(
    store: ArtefactStore, home: Path, dataset: ManifestId, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    here = shutil.disk_usage("/")
    monkeypatch.setattr("model.training.checkpoint.shutil.disk_usage", lambda _: here._replace(free=1000))
    with pytest.raises(BacksightError, match="is full: a checkpoint needs"):
        run(spec_of(dataset))


def test_a_truncated_shard_is_named(store: ArtefactStore, home: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"The shard shards/001.tar is truncated: it has 20000 bytes"):
        run(spec_of(damaged(store, tmp_path, keep=20000)))


def damaged(store: ArtefactStore, folder: Path, keep: int | None = None, blank: slice | None = None) -> ManifestId:
    """A dataset whose second shard lost its end, or has zeros in the place of `blank`."""
    root = write_dataset(folder / "damaged", {"train": 2}, frames=10)
    shard = root / "shards" / "001.tar"
    content = bytearray(shard.read_bytes())
    if blank:
        content[blank] = bytes(blank.stop - blank.start)
    shard.write_bytes(content[:keep])
    files = [path for path in root.rglob("*") if path.is_file()]
    blobs = {str(path.relative_to(root)): store.put_blob(path) for path in files}
    return store.publish(Manifest(kind="dataset", blobs=blobs, meta={"quality": {"passed": True}}))


class Command:
    """`python -m tasks.train` as a child, with a result file."""

    def __init__(self, spec: TrainSpec, folder: Path) -> None:
        self.result_path = folder / "result.json"
        (folder / "spec.json").write_text(spec.model_dump_json())
        command = [sys.executable, "-m", "tasks.train", "--spec", str(folder / "spec.json")]
        environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "LOCAL_RANK", "WORLD_SIZE")}
        self.process = subprocess.Popen(
            [*command, "--result", str(self.result_path)],
            env=environment | {"BACKSIGHT_PROGRESS": "json"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> tuple[int, list[str], StageResult]:
        """Exit code, lines on stderr, result."""
        _, said = self.process.communicate(timeout=600)
        return self.process.returncode, said.splitlines(), StageResult.model_validate_json(self.result_path.read_text())

    def wait_for_step(self, step: int) -> None:
        """Returns when progress has passed a step."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            progress = json.loads(line)["progress"]
            if progress["unit"] == "steps" and progress["done"] >= step:
                return
        raise AssertionError("training ended too early")


def test_two_ranks_train_one_checkpoint_and_the_second_run_is_a_hit(
    store: ArtefactStore, home: Path, dataset: ManifestId, tmp_path: Path
) -> None:
    spec = spec_of(dataset, ranks=2, phase=PHASE.model_copy(update={"batch": 2, "zero": 1}))
    code, said, result = Command(spec, tmp_path).end()
    assert code == 0, said
    assert store.manifest(result.outputs["checkpoint"]).meta["steps"] == 3
    # The ranks of step 1 saw together what one rank would have seen, so its loss is the same.
    alone = run(spec_of(dataset))
    together, single = (stored_json(store, r.outputs["checkpoint"], "history.json")["loss"][0] for r in (result, alone))
    assert together == pytest.approx(single, rel=0.05)

    code, said, known = Command(spec, tmp_path).end()
    assert (code, known.outcome, known.outputs) == (0, Outcome.CACHED, result.outputs)


def test_a_failing_rank_ends_all_with_its_own_sentence(store: ArtefactStore, home: Path, tmp_path: Path) -> None:
    dataset = damaged(store, tmp_path, blank=slice(2000, 60000))
    spec = spec_of(dataset, ranks=2, phase=PHASE.model_copy(update={"steps": 50, "batch": 2}))
    code, said, result = Command(spec, tmp_path).end()
    assert code == 1
    assert "cannot be decoded: the shard is truncated or damaged" in said[-1] and said[-1].startswith("error: ")
    assert result.outcome is Outcome.FAILED and result.error is not None and result.error in said[-1]
    assert sum(line.startswith("error:") for line in said) == 1


def test_a_stopped_training_goes_on_where_it_was(
    store: ArtefactStore, home: Path, dataset: ManifestId, tmp_path: Path
) -> None:
    spec = spec_of(dataset, ranks=2, phase=PHASE.model_copy(update={"steps": 30, "batch": 2}))
    command = Command(spec, tmp_path)
    command.wait_for_step(2)
    command.process.send_signal(signal.SIGTERM)
    command.process.communicate(timeout=600)
    assert command.process.returncode != 0
    kept = store.ref(RESUME, key_of(spec))
    assert kept is not None
    assert 2 <= store.manifest(kept).meta["steps"] < 30

    code, said, result = Command(spec, tmp_path).end()
    assert code == 0, said
    assert store.ref(RESUME, key_of(spec)) == FINISHED
    history = stored_json(store, result.outputs["checkpoint"], "history.json")
    assert history["steps"] == list(range(1, 31))


def test_a_state_that_is_damaged_is_passed_over_and_it_is_said(
    store: ArtefactStore, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    share = store.put_blob(b"a share of a state")
    state = store.publish(Manifest(kind="state", blobs={"00000.safetensors": share}, meta={"steps": 3}))
    store.set_ref(RESUME, "stage", state)
    (path,) = find_resume(store, "stage")
    assert path.read_bytes() == b"a share of a state"

    path.unlink()
    store.bucket.put(f"blobs/sha256/{share.digest[:2]}/{share.digest}", b"a share of decay!!")
    assert find_resume(store, "stage") == ()
    assert "it begins anew: The bytes of blob" in capsys.readouterr().err
