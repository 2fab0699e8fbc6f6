"""Updates over ranks and ZeRO stages, guarded, stopped and resumed: the same numbers whichever way they are reached."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.batch import Batch
from model.errors import DataError, UsageError
from model.training import engine as engine_module
from model.training.checkpoint import CheckpointFiles, load_network, read_tensors
from model.training.engine import Diverged, Engine, Step
from model.training.guard import Verdict
from model.training.keeping import FolderVault
from model.training.ranks import World, joined
from model.training.run import Trained, TrainingJob, train
from model.training.stopping import Stopped, Stopper
from tests.box_world import write_dataset
from tests.model.training.jobs import Notes, job
from tests.published import NETWORK


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("boxes"), {"train": 2}, frames=10)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with joined(World(), torch.device("cpu")):
        yield
    torch.set_num_threads(threads)


def run(job: TrainingJob, stopper: Stopper | None = None) -> tuple[Trained, Notes]:
    notes = Notes()
    return train(job, World(), notes, stopper or Stopper()), notes


def losses(notes: Notes) -> list[float]:
    return [step.loss for step in notes.steps]


@pytest.mark.parametrize("zero", [1, 2, 3])
def test_every_zero_stage_takes_the_same_steps(data: Path, tmp_path: Path, zero: int) -> None:
    plain, notes = run(job(data, tmp_path / "0", zero=0))
    sharded, other = run(job(data, tmp_path / str(zero), zero=zero))
    assert losses(other) == pytest.approx(losses(notes), abs=1e-4)
    assert [s.norm for s in other.steps] == pytest.approx([s.norm for s in notes.steps], rel=1e-3)
    one, two = (read_tensors(trained.files.weights) for trained in (plain, sharded))
    assert one.keys() == two.keys()
    assert all(torch.allclose(one[name], two[name], atol=1e-3) for name in one)


def test_two_ranks_are_one_rank_that_takes_both_batches(data: Path, tmp_path: Path) -> None:
    script = Path(__file__).with_name("two_ranks.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([*command, str(script), str(data), str(tmp_path)], check=True, env=environment, timeout=600)
    both = json.loads((tmp_path / "losses.json").read_text())
    for optimizer, stages in {"adamw": (0, 1, 2, 3), "muon": (0,)}.items():
        numbers = {"steps": 6, "batch": 2, "accumulation": 2, "zero": 0, "optimizer": optimizer}
        _, notes = run(job(data, tmp_path / optimizer, **numbers))
        for zero in stages:
            assert both[f"{optimizer}, zero {zero}"] == pytest.approx(losses(notes), abs=1e-4)
            assert both[f"{optimizer}, zero {zero}, resumed"] == pytest.approx(losses(notes)[3:], abs=1e-4)


FIRST = """
import sys
from pathlib import Path
import deepspeed
import torch
from model.training.ranks import World, joined
from model.training.run import train
from model.training.stopping import Stopper
from tests.model.training.jobs import Notes, job
with joined(World(), torch.device("cpu")):
    train(job(Path(sys.argv[1]), Path(sys.argv[2]), steps=1, zero=1), World(), Notes(), Stopper())
"""


def test_nothing_is_compiled_though_another_library_imported_deepspeed_first(data: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "TORCH_EXTENSIONS_DIR": str(tmp_path / "built"), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", FIRST, str(data), str(tmp_path / "job")]
    subprocess.run(command, check=True, env=environment, timeout=600)
    assert not (tmp_path / "built").exists()


def test_equal_jobs_are_equal_to_the_bit_and_other_seeds_are_not(data: Path, tmp_path: Path) -> None:
    first, notes = run(job(data, tmp_path / "a", zero=0))
    second, again = run(job(data, tmp_path / "b", zero=0, workers=1))
    assert losses(notes) == losses(again)
    assert first.files.weights.read_bytes() == second.files.weights.read_bytes()
    assert first.files.history.read_bytes() == second.files.history.read_bytes()


@pytest.mark.parametrize("zero", [0, 1])
def test_a_resumed_training_is_the_unbroken_one(data: Path, tmp_path: Path, zero: int) -> None:
    how = {"steps": 6, "zero": zero, "ema": 0.9, "checkpoint_every": 4}
    whole, notes = run(job(data, tmp_path / "whole", **how))
    assert notes.kept_at == [4]
    shares = FolderVault(tmp_path / "whole" / "resume").newest()
    rest, later = run(job(data, tmp_path / "rest", resume=shares, **how))
    assert losses(later) == losses(notes)[4:] and later.steps[0].number == 5
    assert rest.files.weights.read_bytes() == whole.files.weights.read_bytes()
    assert rest.history == whole.history


def test_a_wish_to_stop_is_met_after_the_update_with_a_checkpoint(data: Path, tmp_path: Path) -> None:
    stopper = Stopper()

    class Impatient(Notes):
        def stepped(self, step: Step) -> None:
            super().stepped(step)
            stopper._tell(15, None)

    notes = Impatient()
    with pytest.raises(Stopped, match="told to stop after step 2 of 4: its state is kept"):
        train(job(data, tmp_path), World(), notes, stopper)
    _, rest = run(job(data, tmp_path / "rest", resume=FolderVault(tmp_path / "resume").newest()))
    _, whole = run(job(data, tmp_path / "whole"))
    assert losses(notes) + losses(rest) == losses(whole)


def poison(monkeypatch: pytest.MonkeyPatch, steps: set[int]) -> None:
    """Make the loss NaN at these updates, counted over the whole process."""
    from model.training.sharded import Sharded

    plain, count = Sharded.accumulate, iter(range(1000))

    def accumulate(self: Sharded, batch: Batch, last: bool) -> dict[str, torch.Tensor]:
        terms = plain(self, batch, last)
        return {**terms, "loss": terms["loss"] * float("nan")} if next(count) in steps else terms

    monkeypatch.setattr(engine_module.Sharded, "accumulate", accumulate)


@pytest.mark.parametrize("zero", [0, 1])
def test_an_update_that_is_not_finite_leaves_the_weights_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zero: int
) -> None:
    states = []

    class Watching(Engine):
        def step(self, batches: Iterator[Batch], ready: bool = False) -> Step:
            step = super().step(batches, ready)
            states.append({n: p.detach().clone() for n, p in self.sharded.network.named_parameters()})
            return step

    monkeypatch.setattr("model.training.run.Engine", Watching)
    poison(monkeypatch, {2})
    _, notes = run(job(data, tmp_path, zero=zero))
    assert [step.verdict for step in notes.steps] == [Verdict.APPLY] * 2 + [Verdict.DISCARD, Verdict.APPLY]
    assert [record.discarded for record in notes.records] == [0, 0, 1, 0]
    assert all(torch.equal(states[1][name], states[2][name]) for name in states[1])
    assert any(not torch.equal(states[2][name], states[3][name]) for name in states[1])


def test_training_that_diverges_goes_back_and_past_the_data_that_did_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, {3, 4})
    trained, notes = run(job(data, tmp_path, steps=6, checkpoint_every=2, patience=2))
    assert notes.rolled_back_to == [2]
    assert [step.number for step in notes.steps] == [1, 2, 3, 4, 3, 4, 5, 6]
    assert trained.history.steps == [1, 2, 3, 4, 5, 6]


def test_training_that_diverges_with_nothing_to_go_back_to_says_so(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, set(range(2, 100)))
    with pytest.raises(Diverged, match=r"diverged at step 4 \(loss nan.*lower the phase's lr"):
        run(job(data, tmp_path, steps=9, patience=2))
    assert not (tmp_path / "final").exists()


def test_averaged_weights_are_published_and_training_keeps_its_own(data: Path, tmp_path: Path) -> None:
    plain, notes = run(job(data, tmp_path / "plain"))
    averaged, other = run(job(data, tmp_path / "averaged", ema=0.9))
    assert losses(notes) == losses(other)
    one, two = (read_tensors(trained.files.weights)["fusion.role"] for trained in (plain, averaged))
    assert not torch.equal(one, two) and torch.allclose(one, two, atol=0.05)


def test_only_what_is_named_is_trained(data: Path, tmp_path: Path) -> None:
    start, _ = run(job(data, tmp_path / "start", steps=1))
    done, _ = run(job(data, tmp_path / "done", init=start.files, trainable=("head",), clip_by="module"))
    before, after = read_tensors(start.files.weights), read_tensors(done.files.weights)
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"head"}
    with pytest.raises(UsageError, match=r"no part named 'heads'.*did you mean 'head'"):
        run(job(data, tmp_path / "wrong", trainable=("heads",)))


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("pretrain", {"goal": 1.0, "spatial_consistency": 0.1, "cross_frame_alignment": 0.1}),
        ("joint", {"heatmap": 1.0, "map_energy": 0.1, "spatial_reasoning": 0.4, "goal": 0.2, "turn": 0.1}),
    ],
)
def test_each_phase_learns_its_terms(data: Path, tmp_path: Path, name: str, terms: dict[str, float]) -> None:
    trained, notes = run(job(data, tmp_path, name, steps=12, losses=terms, lr=1e-2))
    assert set(trained.history.terms) == set(terms)
    assert sum(losses(notes)[-3:]) < sum(losses(notes)[:3])


def test_the_geometry_phase_runs_the_encoders_alone(data: Path, tmp_path: Path) -> None:
    network = NETWORK.model_copy(update={"encoders": ("sensors", "vggt")})
    geometry = job(
        data, tmp_path, "geometry", losses={"camera": 5.0, "depth": 1.0, "points": 1.0}, trainable=("encoders.vggt",)
    )
    trained, notes = run(replace(geometry, network=network))
    parts = {f"encoders.vggt.vggt.{name}" for name in ("aggregator", "camera_head", "depth_head", "point_head")}
    assert set(notes.steps[0].norms) == parts and all(norm > 0 for norm in notes.steps[0].norms.values())
    still = geometry.phase.model_copy(update={"lr": 1e-12})
    before, _ = run(replace(geometry, network=network, phase=still, folder=tmp_path / "still"))
    one, two = (read_tensors(t.files.weights) for t in (before, trained))
    moved = {name.split(".")[0] for name in one if not torch.allclose(one[name], two[name], atol=1e-9)}
    assert moved == {"encoders"}


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_short_floats_stay_close_to_long_ones(data: Path, tmp_path: Path, precision: str) -> None:
    _, long = run(job(data, tmp_path / "long", zero=1))
    _, short = run(job(data, tmp_path / "short", zero=1, precision=precision))
    assert losses(short)[0] == pytest.approx(losses(long)[0], rel=0.05)
    assert losses(short) != losses(long)


def test_a_checkpoint_predicts_what_the_network_did(data: Path, tmp_path: Path) -> None:
    trained, _ = run(job(data, tmp_path))
    network, tokenizer = load_network(trained.files)
    assert (
        not network.training
        and len(tokenizer)
        == read_tensors(trained.files.weights)["language.backbone.model.language_model.embed_tokens.weight"].shape[0]
        - 3
    )
    torch.save({}, tmp_path / "junk")
    hurt = CheckpointFiles(tmp_path / "junk", trained.files.config, trained.files.tokenizer, trained.files.history)
    with pytest.raises(DataError, match="is damaged"):
        load_network(hurt)
