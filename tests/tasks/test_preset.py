"""Presets: read, changed by dotted keys, and refused in one sentence that names the key that was meant."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from model.training.phases import find_phase
from tasks.errors import UsageError
from tasks.preset import PRESETS, Preset, load_preset, preset_names

SMOKE = Path(__file__).parents[1] / "presets" / "smoke.yaml"
ALL = [*preset_names(), str(SMOKE)]


@pytest.mark.parametrize("name", ALL)
def test_every_preset_loads_and_its_phases_can_learn_their_losses(name: str) -> None:
    training = load_preset(name).training
    for phase in ("geometry", "pretrain", "finetune", "joint"):
        find_phase(phase, getattr(training, phase))


@pytest.mark.parametrize("name", ALL)
def test_a_preset_survives_being_written_and_read(name: str) -> None:
    preset = load_preset(name)
    assert Preset.model_validate(preset.model_dump(mode="json")) == preset


def test_names_and_paths_mean_the_same_file() -> None:
    assert load_preset("tiny") == load_preset(PRESETS / "tiny.yaml") == load_preset(str(PRESETS / "tiny.yaml"))


def test_dotted_keys_change_a_preset_and_nothing_else() -> None:
    tiny = load_preset("tiny")
    changed = load_preset("tiny", {"collect.train.scenes": "40", "training.joint.lr": 1e-4, "evaluate.views": 60})
    assert changed.collect.train.scenes == 40 and changed.training.joint.lr == 1e-4 and changed.evaluate.views == 60
    assert changed.collect.train.episodes == tiny.collect.train.episodes
    assert changed.training.finetune == tiny.training.finetune and changed.network == tiny.network


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"colect.size": 3}, "colect: there is no such key; did you mean collect."),
        ({"collect.trainscenes": 4}, "collect.trainscenes: there is no such key; did you mean train.scenes."),
        ({"network.vggt.dept": 3}, "network.vggt.dept: there is no such key; did you mean depth."),
        ({"training.geometri.steps": 3}, "training.geometri: there is no such key; did you mean geometry."),
        ({"collect.train.scenes": "many"}, "collect.train.scenes: should be a valid integer"),
        ({"collect.train.scenes": -4}, "collect.train.scenes: should be greater than or equal to 0, not -4."),
        ({"training.joint.lr": -1}, "training.joint.lr: should be greater than 0, not -1."),
        ({"training.joint.batch": 3}, "training.joint: batch is 3, but items come in pairs"),
        ({"evaluate.keyframes": 9}, "evaluate.keyframes 9 exceeds network.keyframes 6"),
        ({"collect.size": [64, 48]}, "collect.size [64, 48] is not square"),
        ({"collect.size.x": 3}, "The key collect.size.x cannot be changed: size is no section but [64, 64]."),
        ({"validation.poses.rol": 3}, "validation.poses.rol: there is no such key; did you mean roll."),
    ],
)
def test_a_wrong_key_is_one_sentence(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_preset("tiny", changed)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_wrong_file_names_file_and_key(tmp_path: Path) -> None:
    values = yaml.safe_load((PRESETS / "tiny.yaml").read_text())
    values["training"]["finetune"]["stepz"] = 3
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(UsageError) as caught:
        load_preset(path)
    assert str(caught.value) == f"{path}: training.finetune.stepz: there is no such key; did you mean steps."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is no YAML"),
        ("- 1", "holds no keys"),
        ("", "holds no keys"),
        ("{}", "training: this key is missing"),
    ],
)
def test_what_is_no_preset_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_preset(path)


def test_an_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"There is no preset 'tinny': did you mean tiny\?"):
        load_preset("tinny")
    with pytest.raises(UsageError, match=r"no preset 'xyzzy': known are full, images, small, small_images, tiny\."):
        load_preset("xyzzy")
    with pytest.raises(UsageError, match=r"There is no preset file nowhere/tiny\.yaml"):
        load_preset("nowhere/tiny.yaml")


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz_.", min_size=1, max_size=30))
def test_no_key_gives_anything_but_a_preset_or_a_sentence(key: str) -> None:
    try:
        load_preset("tiny", {key: 1})
    except UsageError as error:
        assert "\n" not in str(error)


def test_reading_a_preset_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'pandas', 'mlflow', 'prefect', 'transformers', 'great_expectations'}"
    code = (
        f"import sys; from tasks.preset import load_preset; load_preset('tiny'); assert not {heavy} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
