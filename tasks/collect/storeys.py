"""A scene of scenes.json floor by floor, for those who draw it from above."""

from __future__ import annotations

from typing import Any


def captions(floors: list[dict[str, Any]]) -> list[str]:
    """What to write above each floor's plan; nothing where there is but one."""
    return [""] if len(floors) == 1 else ["Lower floor", *["Upper floor"] * (len(floors) - 1)]


def floors_of(scene: dict[str, Any]) -> list[dict[str, Any]]:
    """The scene once for each height on which it has rooms, lowest first."""
    levels = sorted({room.get("floor", 0.0) for room in scene["rooms"]})
    if len(levels) < 2:
        return [scene]
    floors = []
    for level in levels:
        rooms = [room for room in scene["rooms"] if room.get("floor", 0.0) == level]
        ids = {room["id"] for room in rooms}
        floors.append(
            scene
            | {
                "rooms": rooms,
                "objects": [thing for thing in scene["objects"] if thing["room"] in ids],
                "doors": [door for door in scene["doors"] if set(door["rooms"]) & ids],
                "walls": scene["walls"] if level == levels[0] else scene.get("upper_walls", []),
            }
        )
    return floors
