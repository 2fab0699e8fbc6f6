"""The receiver of the webhook: what it believes, and that a promotion on a real server makes it load the new model."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from types import ModuleType

import pytest

from tasks.spec import HOUSE
from tests.local_stack import LocalStack

SECRET = "known to both sides"
EVENT = {
    "entity": "model_version_alias",
    "action": "created",
    "data": {"name": "hooked", "alias": "champion", "version": "2"},
}


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The example, imported from the documentation."""
    place = HOUSE / "docs" / "examples" / "reload_on_promotion.py"
    spec = importlib.util.spec_from_file_location("reload_on_promotion", place)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """The headers that MLflow sends."""
    sent = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"7.{sent}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"X-MLflow-Delivery-Id": "7", "X-MLflow-Timestamp": sent, "X-MLflow-Signature": signature}


class Receiver:
    """A running receiver whose models are the names of their versions."""

    def __init__(self, example: ModuleType) -> None:
        self.champion = example.Champion("hooked", lambda version: f"model {version}")
        self.serving = example.server(self.champion, SECRET, 0)
        self.address = f"http://127.0.0.1:{self.serving.server_port}/promoted"
        threading.Thread(target=self.serving.serve_forever, daemon=True).start()

    def call(self, body: bytes, headers: dict[str, str]) -> int:
        """The status of the answer."""
        try:
            with urllib.request.urlopen(urllib.request.Request(self.address, body, headers), timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def has(self, version: str, patience: float = 60) -> bool:
        """Whether it comes to use a version."""
        until = time.monotonic() + patience
        while time.monotonic() < until and self.champion.version != version:
            time.sleep(0.05)
        return bool(self.champion.model == f"model {version}")


@pytest.fixture
def receiver(example: ModuleType) -> Iterator[Receiver]:
    """On a free port of loopback."""
    running = Receiver(example)
    yield running
    running.serving.shutdown()
    running.serving.server_close()


def test_only_a_fresh_call_with_our_signature_is_believed(receiver: Receiver) -> None:
    body = json.dumps(EVENT).encode()
    assert receiver.call(body, {}) == 401
    assert receiver.call(body, signed(body, "guessed")) == 401
    assert receiver.call(body.replace(b'"2"', b'"3"'), signed(body)) == 401
    assert receiver.call(body, signed(body, at=time.time() - 3600)) == 401
    assert receiver.champion.version == ""
    assert receiver.call(body, signed(body)) == 202 and receiver.has("2")


@pytest.mark.parametrize("change", [{"alias": "previous"}, {"name": "another"}])
def test_what_concerns_others_changes_nothing(receiver: Receiver, change: dict[str, str]) -> None:
    event = {**EVENT, "data": {**EVENT["data"], **change}}  # type: ignore[dict-item]
    assert receiver.champion.follow(event) is False and receiver.champion.model is None


def test_a_model_that_does_not_load_leaves_the_old_one_in_use(example: ModuleType) -> None:
    def load(version: str) -> str:
        if version == "2":
            raise OSError("half a download")
        return f"model {version}"

    champion = example.Champion("hooked", load)
    champion.reload("1")
    with pytest.raises(OSError, match="half a download"):
        champion.follow(EVENT)
    assert (champion.version, champion.model) == ("1", "model 1")


def test_a_real_server_calls_when_the_alias_moves(stack: LocalStack, receiver: Receiver, example: ModuleType) -> None:
    from mlflow import MlflowClient

    uri = stack.settings()["MLFLOW_TRACKING_URI"]
    client = MlflowClient(uri, uri)
    client.create_webhook("reload-hooked", receiver.address, list(example.EVENTS), secret=SECRET)
    client.create_registered_model("hooked")
    for number in ("1", "2"):
        client.create_model_version("hooked", "s3://nowhere/model")
        client.set_registered_model_alias("hooked", "champion", number)
        assert receiver.has(number)
