"""The pictures that MLflow keeps of a stage: their names, their addresses, and copies of them."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.plan import Stage
from flows.record import Line
from tasks.errors import BacksightError
from tasks.settings import PlatformSettings

FOLDER = "pictures"
PATIENCE = 10.0


@dataclass(frozen=True)
class Picture:
    """One picture of one step."""

    step: str
    name: str
    """File name, such as `view-03.png`."""
    address: str

    @property
    def title(self) -> str:
        """`evaluate view-03`."""
        return f"{self.step} {Path(self.name).stem}"


def pictures_of(lines: Sequence[Line]) -> list[Picture]:
    """All pictures of a night's steps, the evaluation's first; none where nothing is tracked."""
    server = PlatformSettings.load().mlflow_tracking_uri
    if server is None or not server.startswith("http"):
        return []
    tracked = sorted((line for line in lines if line.run_id), key=lambda line: line.step != Stage.EVALUATE)
    return [picture for line in tracked for picture in _listed(server.rstrip("/"), line.step, str(line.run_id))]


def _listed(server: str, step: str, run_id: str) -> Iterator[Picture]:
    asked = urllib.parse.urlencode({"run_id": run_id, "path": FOLDER})
    for file in json.loads(_read(f"{server}/api/2.0/mlflow/artifacts/list?{asked}")).get("files", []):
        if file["path"].endswith(".png"):
            at = urllib.parse.urlencode({"path": file["path"], "run_uuid": run_id})
            yield Picture(step, Path(file["path"]).name, f"{server}/get-artifact?{at}")


def save(pictures: Sequence[Picture], folder: Path) -> list[Path]:
    """Copies of the pictures, named by step and picture."""
    folder.mkdir(parents=True, exist_ok=True)
    saved = []
    for picture in pictures:
        path = folder / f"{picture.step}-{picture.name}"
        path.write_bytes(_read(picture.address))
        saved.append(path)
    return saved


def _read(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, TimeoutError) as error:
        raise BacksightError(f"MLflow did not give {address} ({error}): see `backsight status`.") from error
