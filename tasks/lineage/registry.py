"""Which checkpoints the model registry holds, for those who must not delete them."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from typing import Any

from tasks.errors import BacksightError, UsageError
from tasks.settings import PlatformSettings
from tasks.spec import ManifestId
from tasks.store.index import NAMED

PATIENCE = 20.0
PAGE = 1000


def registered_checkpoints() -> set[ManifestId]:
    """Everything that the tags of all model versions name; nothing where no MLflow is configured.

    Raises `BacksightError` where MLflow is configured and does not answer: what it holds is unknown then.
    """
    server = PlatformSettings.load().mlflow_tracking_uri
    if server is None:
        return set()
    if not server.startswith("http"):
        raise UsageError(f"The registry at {server} cannot be asked over HTTP: set MLFLOW_TRACKING_URI to its server.")
    found: set[ManifestId] = set()
    token = ""
    while True:
        query = urllib.parse.urlencode({"max_results": PAGE, **({"page_token": token} if token else {})})
        answer = ask(f"{server.rstrip('/')}/api/2.0/mlflow/model-versions/search?{query}")
        for version in answer.get("model_versions", []):
            found |= set(NAMED.findall(json.dumps(version.get("tags", []))))
        token = answer.get("next_page_token", "")
        if not token:
            return found


def ask(url: str) -> Any:
    """The server's JSON."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return json.load(answer)
    except (OSError, ValueError) as error:
        raise BacksightError(
            f"The model registry at {url.partition('/api/')[0]} does not answer, so nobody knows what it holds and "
            "nothing was removed: see `backsight status`."
        ) from error
