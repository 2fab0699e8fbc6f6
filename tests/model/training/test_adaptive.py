"""The adaptive scheduler: bounded, explained, off unless asked for, and the same whenever it is asked again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from model.losses import LOSSES, STRATA
from model.training.adaptive import AdaptiveConfig, Quality, adapt, lagging, leave, plateau
from model.training.config import PhaseConfig
from model.training.history import History

ON = AdaptiveConfig(enabled=True)
PHASE = PhaseConfig(steps=400, losses={"heatmap": 1.0, "distinctness": 0.3, "temporal_consistency": 0.6})


def history(loss: list[float], **terms: list[float]) -> History:
    steps = [10 * (i + 1) for i in range(len(loss))]
    return History(steps=steps, loss=loss, rate=[0.0] * len(loss), gradient_norm=[0.0] * len(loss), terms=terms)


def falling(count: int, end: float, noise: float = 0.0, seed: int = 0) -> list[float]:
    draw = np.random.default_rng(seed)
    return (np.geomspace(1.0, end, count) * np.exp(noise * draw.normal(size=count))).tolist()


def left_at(whole: History, steps: int) -> tuple[int, str] | None:
    """At which step a phase with this history would have been left, and why; None = never."""
    for count in range(1, len(whole.steps) + 1):
        so_far = History(steps=whole.steps[:count], loss=whole.loss[:count])
        if cause := leave(ON, so_far, steps):
            return whole.steps[count - 1], cause
    return None


def test_off_means_off() -> None:
    flat = history([1.0] * 40, heatmap=[1.0] * 40, distinctness=falling(40, 0.1))
    assert adapt(AdaptiveConfig(), PHASE, flat, Quality({"loop": 0.1})) == (PHASE, ())
    assert leave(AdaptiveConfig(), flat, 400) is None
    assert not PhaseConfig(steps=1, losses={"heatmap": 1.0}).adaptive.enabled


def test_a_phase_is_left_on_a_plateau_and_not_while_it_learns() -> None:
    learns = history(falling(40, 0.1, noise=0.02))
    assert left_at(learns, 400) is None
    rests = history(falling(20, 0.3) + [0.3] * 20)
    step, cause = left_at(rests, 400) or (0, "")
    assert 200 < step <= 330 and "the loss fell by" in cause
    assert left_at(rests, 4000) is None, "too early in the phase"


def test_noise_alone_is_no_reason_to_leave_and_too_few_records_none_either() -> None:
    assert plateau(ON, [1.0] * (2 * ON.window - 1)) is None
    noisy = [history(falling(40, 0.5, noise=0.2, seed=seed)) for seed in range(40)]
    assert sum(left_at(one, 400) is not None for one in noisy) <= 8


def test_terms_that_lag_gain_weight_within_bounds() -> None:
    lagged = history(
        falling(20, 0.1), heatmap=falling(20, 0.1), distinctness=[1.0] * 20, temporal_consistency=falling(20, 0.1)
    )
    phase, changes = adapt(ON, PHASE, lagged, Quality())
    assert phase.losses["distinctness"] == pytest.approx(0.3 * 2.5**0.5, rel=0.03)
    assert phase.losses["heatmap"] == pytest.approx(0.25**0.5, rel=0.06)
    by_what = {change.what: change for change in changes}
    assert "lags by 2.4" in by_what["losses.distinctness"].cause
    assert phase.strata["revisit"] > 1 > phase.strata["loop"], "revisits teach distinctness, loops do not"
    assert adapt(ON, PHASE, lagged, Quality()) == (phase, changes), "the same history, the same decisions"


def test_what_the_history_does_not_hold_changes_nothing() -> None:
    assert lagging(history([1.0] * 3, heatmap=[1.0] * 3), ("heatmap",)) == {}
    assert adapt(ON, PHASE, None, Quality()) == (PHASE, ())
    assert adapt(ON, PHASE, history([], heatmap=[]), Quality()) == (PHASE, ())


def test_a_stratum_that_is_often_rejected_is_drawn_less_and_one_that_is_off_stays_off() -> None:
    off = PHASE.model_copy(update={"strata": {"hard": 0.0}})
    phase, changes = adapt(ON, off, None, Quality({"loop": 0.7, "hard": 0.5}))
    assert phase.strata == {"loop": pytest.approx(0.7), "hard": 0.0}
    assert [change.what for change in changes] == ["strata.loop"] and "70% passed" in changes[0].cause


def test_a_loss_that_rose_lowers_the_rate() -> None:
    rose = history([1.0] * 6 + [1.2] * 6)
    phase, changes = adapt(ON, PHASE, rose, Quality())
    assert phase.lr == pytest.approx(0.8 * PHASE.lr) and "rose by 20.00%" in changes[0].cause
    assert adapt(ON, PHASE, history([1.0] * 6 + [9.0] * 6), Quality())[0].lr == 0.5 * PHASE.lr


@pytest.mark.parametrize(
    "wrong", [{"weight": (1.5, 2.0)}, {"rate": (0.0, 1.0)}, {"stratum": (0.5, 0.9)}, {"window": 2}]
)
def test_bounds_that_do_not_allow_to_change_nothing_are_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        AdaptiveConfig(**wrong)


curves = st.lists(st.floats(1e-6, 1e3), min_size=0, max_size=30)


@settings(deadline=None, max_examples=80)
@given(
    loss=curves,
    terms=st.dictionaries(st.sampled_from(sorted(LOSSES)), curves, max_size=5),
    accepted=st.dictionaries(st.sampled_from(STRATA), st.floats(0, 1)),
    weights=st.dictionaries(st.sampled_from(sorted(LOSSES)), st.floats(0.01, 10), min_size=1, max_size=5),
)
def test_every_change_stays_within_its_bounds_and_has_a_cause(
    loss: list[float], terms: dict[str, list[float]], accepted: dict[str, float], weights: dict[str, float]
) -> None:
    before = PhaseConfig(steps=400, losses=weights)
    after, changes = adapt(ON, before, history(loss, **terms), Quality(accepted))
    for name, weight in weights.items():
        assert 0.5 * weight - 1e-9 <= after.losses[name] <= 2 * weight + 1e-9
    assert all(0.5 <= share <= 2 for share in after.strata.values())
    assert 0.5 * before.lr <= after.lr <= before.lr
    assert all(change.cause and change.before != change.after for change in changes)
    assert {change.what for change in changes if change.what == "lr"} == ({"lr"} if after.lr != before.lr else set())
