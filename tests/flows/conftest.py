"""Fixtures of the flows' tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def smoke() -> Path:
    """The preset of the smallest night that still does everything."""
    return Path(__file__).parent.parent / "presets" / "smoke.yaml"
