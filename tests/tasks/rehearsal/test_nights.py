"""The rehearsal is the gate itself, on arrays; and what it counts is what was asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import UsageError
from tasks.promote.gate import Ruling, decide
from tasks.promote.policy import load_policy
from tasks.promote.sample import Contestant, order_of
from tasks.promote.spec import Policy
from tasks.rehearsal import bench, foreign
from tasks.rehearsal.generators import BEYOND, GENERATORS, Views
from tasks.rehearsal.nights import rehearse, summed
from tasks.rehearsal.table import equal_rows, power, upper
from tests.score_books import plan_rows, scores

POLICY = Policy(resamples=1000, nights=4, guards={"brier": 0.02})


def in_the_gates_order(errors: np.ndarray, scene: np.ndarray, order: list[str]) -> np.ndarray:
    return np.stack([errors[scene == name] for name in order])[None].astype(np.float64)


@pytest.mark.parametrize("error", [0.1, 0.2, 0.26, 0.3, 0.45])
def test_one_rehearsed_night_is_what_the_gate_says_of_it(error: float) -> None:
    # One keyframe, so that a pair is a view, as in the rehearsal.
    plan = plan_rows(scenes=20, views=40, keyframes=1)
    mine, theirs = scores(plan, error, 1), scores(plan, 0.3, 2)
    decision = decide(Contestant("", plan, mine, 16, ""), Contestant("", plan, theirs, 16, ""), POLICY, 5)
    order = order_of(plan.scene.tolist(), 5)

    def laid_out(values: np.ndarray) -> np.ndarray:
        return in_the_gates_order(values.reshape(len(plan.scene), -1), plan.scene, order).reshape(1, 20, -1)

    night = Views(
        champion=laid_out(np.nan_to_num(theirs.kld)),
        challenger=laid_out(np.nan_to_num(mine.kld)),
        counted=laid_out(plan.valid).astype(bool),
    )
    certain = laid_out(plan.valid & plan.certain).astype(bool)
    guard = [laid_out(np.nan_to_num((1 - s.none - plan.visible) ** 2)) * certain for s in (theirs, mine)]
    both = Views(guard[0], guard[1], certain)
    nights = summed(night)
    outcome = rehearse(type(nights)(nights.scores, summed(both).scores, nights.naive, nights.paired), POLICY)
    assert outcome.promoted[0] == (decision.ruling is Ruling.PROMOTE)
    assert decision.trial is not None and outcome.scenes[0] == len(decision.trial.order)


@pytest.mark.parametrize("name", [name for name in GENERATORS if name not in BEYOND])
def test_equal_models_are_equal(name: str) -> None:
    views = GENERATORS[name][0](np.random.default_rng(0), 400, 40, 0.0)
    counted = np.ones(views.champion.shape, bool) if views.counted is None else views.counted
    gain = ((views.champion - views.challenger) * counted).sum(axis=(1, 2))
    assert abs(gain.mean()) < 5 * gain.std() / len(gain) ** 0.5
    assert (views.champion >= 0).all() and (views.challenger >= 0).all()


@pytest.mark.parametrize("name", ["two metrics", "failing scenes", "uneven scenes", "heavy tails", "skewed scenes"])
def test_false_promotions_stay_within_alpha_over_sixty_nights(name: str) -> None:
    rows = equal_rows(name, 24, Policy(), rows=60, seed=3)
    assert rows.false <= 0.05
    assert rows.naive >= rows.false and rows.paired > 0.5


def test_a_larger_gain_is_found_more_often_and_sooner_than_the_sample_allows() -> None:
    small, large = (power("like real", 60, Policy(), 300, gain, 0) for gain in (0.1, 0.5))
    assert small.promoted < 0.1 and large.promoted > 0.97
    assert large.looked_at < 40 and large.saved == pytest.approx(1 - large.looked_at / 60)


def test_the_upper_bound_of_a_share_is_exact() -> None:
    assert upper(0.0, 2000) == pytest.approx(1 - 0.05 ** (1 / 2000))
    assert upper(1.0, 10) == 1.0


OTHERS = '''
import numpy as np

def nights(rng, gain=0.0):
    """Thirty scenes of unequal size, as other people may draw them."""
    scene = np.repeat(np.arange(30), rng.integers(3, 12, 30))
    hard = rng.gamma(2, 0.05, 30)[scene]
    champion, challenger = hard * rng.lognormal(0, 1, (2, len(scene)))
    return {"scene": scene, "champion": champion, "challenger": (1 - gain) * challenger}
'''


def test_a_foreign_generator_gets_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "others_nights.py").write_text(OTHERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert bench.main(["--generator", "others_nights:nights", "--rows", "5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["scenes"] for row in found["equal"]] == [30] and found["equal"][0]["false"] <= 0.2
    assert found["power"][-1]["promoted"] > found["power"][0]["promoted"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda rng: {"scene": [1, 2], "champion": [0.1, 0.2]}, "lacks 'challenger'"),
        (lambda rng: {"scene": [1, 2], "champion": [0.1, 0.2], "challenger": [0.1]}, "has the shape"),
        (lambda rng: {"scene": [1, 2], "champion": [0.1, 0.2], "challenger": [0.1, -1]}, "negative"),
        (lambda rng: {"scene": [1, 2], "champion": [0.1, np.nan], "challenger": [0.1, 1]}, "no numbers"),
    ],
)
def test_a_foreign_generator_that_gives_no_errors_is_told(answer: Callable, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        list(foreign.drawn(answer, np.random.default_rng(0), 1, 0.0))


@pytest.mark.parametrize("name", ["nowhere", "json:nothing", "no_such_module_here:f", "json:__doc__"])
def test_a_generator_that_is_not_there_is_told(name: str) -> None:
    with pytest.raises(UsageError):
        foreign.load(name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("minimum_scenes: 30\nmaximum_scenes: 20\n", "minimum_scenes 30 exceeds maximum_scenes 20"),
        ("alhpa: 0.1\n", "there is no such key; did you mean alpha"),
        ("primary: brier\n", "primary metric and a guard as well"),
        ("alpha: 0.001\nmaximum_scenes: 15\n", "nothing could ever be promoted"),
    ],
)
def test_a_policy_file_that_contradicts_itself_is_refused_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as refused:
        load_policy(path)
    assert str(refused.value).count("\n") == 0 and str(path) in str(refused.value)


def test_a_policy_is_read_from_its_own_file_or_from_a_preset(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("alpha: 0.1\nguards: {brier: 0.01, latency: 0.5}\n")
    (tmp_path / "preset.yaml").write_text("promote: {alpha: 0.1, guards: {brier: 0.01, latency: 0.5}}\n")
    own, preset = (load_policy(tmp_path / name) for name in ("own.yaml", "preset.yaml"))
    assert own == preset and own.level == pytest.approx(0.1 / 60)
    with pytest.raises(UsageError, match="There is no policy file"):
        load_policy(tmp_path / "none.yaml")
