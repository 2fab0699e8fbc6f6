"""Habitat's scene dataset configs: whether what they name is there, before an engine starts and dies over it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.errors import DataError, UsageError

SECTIONS = ("stages", "scene_instances", "objects", "articulated_objects", "light_setups")
SCENES = SECTIONS[:2]
"""A dataset without any of these has nothing to be in."""
WILD = "*?["
STAGE = ".stage_config.json"
ASSETS = ("render_asset", "collision_asset", "semantic_asset", "nav_asset", "semantic_descriptor_filename")


def check_scene_dataset(config: Path) -> None:
    """Raise UsageError where there is no such config, DataError naming the file where it, or what it names, is wrong.

    A pattern may match nothing (public configs name parts that not everybody downloads), but a plain path must exist,
    some scene must be found, and every stage config must have its assets.
    """
    if not config.is_file():
        raise UsageError(f"The scene dataset config {config} does not exist: correct collect.scene_dataset.")
    content = read_object(config)
    found = {section: files_of(config, content.get(section, {})) for section in SECTIONS}
    if not any(found[section] or content.get(section, {}).get("configs") for section in SCENES):
        raise DataError(f"The scene dataset config {config} finds no stage and no scene instance beside it.")
    for stage in found["stages"]:
        if stage.name.endswith(STAGE):
            check_stage(stage)


def files_of(config: Path, section: dict[str, Any]) -> list[Path]:
    """The files that a section's `paths` name, relative to the config."""
    found: list[Path] = []
    for ending, patterns in section.get("paths", {}).items():
        for pattern in patterns:
            path = config.parent / pattern
            if any(sign in pattern for sign in WILD):
                found += sorted(p for p in config.parent.glob(pattern) if p.is_dir() or p.name.endswith(ending))
            elif path.exists():
                found.append(path)
            else:
                raise DataError(f"The scene dataset config {config} names {pattern}, which does not exist.")
    files = [sorted(path.glob(f"*{STAGE}")) if path.is_dir() else [path] for path in found]
    return [path for group in files for path in group]


def check_stage(stage: Path) -> None:
    """Raise DataError where a stage config names an asset that is not there."""
    content = read_object(stage)
    if "render_asset" not in content:
        raise DataError(f"The stage config {stage} names no render_asset.")
    for key in ASSETS:
        if content.get(key) and not (stage.parent / content[key]).exists():
            raise DataError(f"The stage config {stage} names the {key} {content[key]}, which does not exist.")


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no JSON that can be read ({error}).") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} holds no JSON object.")
    return content
