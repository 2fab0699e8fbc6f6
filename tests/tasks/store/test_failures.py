"""Each thing that can be wrong with the server or the disk gives one sentence that says what to do."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import IO

import pytest

from tasks.errors import BacksightError, UsageError
from tasks.settings import StoreSettings
from tasks.store import ArtefactStore, conformance, open_store
from tests.rclone_server import RcloneServer

Action = Callable[[ArtefactStore], object]
ACTIONS: list[Action] = [
    lambda store: store.put_blob(b"data"),
    lambda store: store.manifest("dataset/" + "0" * 64),
    lambda store: store.ref("stage", "k"),
    lambda store: store.set_ref("stage", "k", "v", expected=None),
    lambda store: store.refs("stage"),
    lambda store: conformance.check(store.settings),
]


def sentence_of(error: BacksightError) -> str:
    said = str(error)
    assert "\n" not in said and "Traceback" not in said
    return said


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("wrong", [{"secret_key": "wrong-secret"}, {"access_key": "wrong-access"}])
def test_wrong_credentials(
    s3_server: RcloneServer, store: ArtefactStore, action: Action, wrong: dict[str, str]
) -> None:
    with pytest.raises(UsageError) as caught:
        action(open_store(s3_server.settings(store.settings.bucket, **wrong)))
    assert "refuses the credentials" in sentence_of(caught.value)
    assert "BACKSIGHT_S3_SECRET_KEY" in str(caught.value)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_missing_bucket(s3_server: RcloneServer, home: Path, action: Action) -> None:
    with pytest.raises(UsageError) as caught:
        action(open_store(s3_server.settings("nowhere")))
    assert "has no bucket named nowhere" in sentence_of(caught.value)


def test_a_stopped_server(tmp_path: Path, home: Path) -> None:
    server = RcloneServer(tmp_path)
    server.start()
    store = open_store(server.settings("stopped"))
    store.bucket.create()
    blob = store.put_blob(b"kept")
    server.stop()
    with pytest.raises(BacksightError) as caught:
        store.read(blob)
    assert f"artefact store at {server.address} does not answer" in sentence_of(caught.value)
    server.start()
    assert store.read(blob) == b"kept"
    server.stop()


def test_an_object_that_lost_its_end_on_the_servers_disk(
    s3_server: RcloneServer, store: ArtefactStore, store_settings: StoreSettings
) -> None:
    blob = store.put_blob(b"truth" * 1000)
    store.read(blob)
    [kept] = [path for path in s3_server.data.rglob(blob.digest.removeprefix("sha256:")) if path.is_file()]
    os.truncate(kept, 100)
    for read in (store.read, store.fetch):
        with pytest.raises(BacksightError, match=r"ended .* too early|do not have that SHA-256") as caught:
            read(blob)
        assert "--force" in sentence_of(caught.value)


class Refusing(BaseHTTPRequestHandler):
    """Answers as rclone was seen to answer when its disk was full (500), or as no S3 server would (200, HTML)."""

    status, kind, body = 500, "text/xml", b"<Error><Code>InternalError</Code><Message>Internal Error</Message></Error>"

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(self.status, self.kind, self.body)

    def do_GET(self) -> None:
        if "location" in self.path:
            self._answer(200, "application/xml", b"<LocationConstraint/>")
        else:
            self._answer(self.status, self.kind, self.body)

    def do_HEAD(self) -> None:
        self._answer(404, "application/xml", b"")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def answering() -> Iterator[Callable[..., StoreSettings]]:
    servers = []

    def serve(**answer: object) -> StoreSettings:
        server = HTTPServer(("127.0.0.1", 0), type("Answering", (Refusing,), answer))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        where = f"127.0.0.1:{server.server_port}"
        return StoreSettings(endpoint=where, access_key="k" * 8, secret_key="s" * 8, bucket="bucket")  # type: ignore[arg-type]

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_server_whose_disk_is_full(answering: Callable[..., StoreSettings], home: Path) -> None:
    with pytest.raises(BacksightError) as caught:
        open_store(answering()).put_blob(b"data")
    assert "see whether its disk is full" in sentence_of(caught.value)


def test_what_is_no_s3_server(answering: Callable[..., StoreSettings], home: Path) -> None:
    with pytest.raises(BacksightError) as caught:
        open_store(answering(status=418, kind="text/html", body=b"<html>")).ref("stage", "k")
    assert "is no S3 server" in sentence_of(caught.value)


def test_a_full_disk_here(store: ArtefactStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = store.put_blob(b"data")
    real = os.fdopen

    def on_a_full_disk(descriptor: int, *args: str) -> IO[bytes]:
        stream = real(descriptor, *args)
        os.dup2(os.open("/dev/full", os.O_WRONLY), descriptor)
        return stream

    monkeypatch.setattr(os, "fdopen", on_a_full_disk)
    with pytest.raises(BacksightError) as caught:
        store.fetch(blob)
    assert "is full" in sentence_of(caught.value) and str(home / "cache") in str(caught.value)
    monkeypatch.undo()
    assert [p for p in (home / "cache").rglob("*") if p.is_file()] == []


def test_other_disk_errors_keep_their_name(store: ArtefactStore, home: Path) -> None:
    blob = store.put_blob(b"data")
    home.mkdir()
    (home / "cache").write_text("in the way")
    with pytest.raises(NotADirectoryError):
        store.fetch(blob)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "No artefact store is configured: run `backsight up`, or set BACKSIGHT_S3_ENDPOINT"),
        ({"ENDPOINT": "h:1", "ACCESS_KEY": "a"}, "configured by half: set BACKSIGHT_S3_SECRET_KEY too"),
        ({"ENDPOINT": "http://h:1", "ACCESS_KEY": "a", "SECRET_KEY": "b"}, "BACKSIGHT_S3_ENDPOINT is to be host:port"),
        ({"ENDPOINT": "h:1", "ACCESS_KEY": "a", "SECRET_KEY": "b", "BUCKET": "A"}, "BACKSIGHT_S3_BUCKET"),
        ({"ENDPOINT": "h:1", "ACCESS_KEY": "a", "SECRET_KEY": "b", "SECURE": "perhaps"}, "BACKSIGHT_S3_SECURE"),
    ],
)
def test_settings_that_will_not_do(
    home: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], sentence: str
) -> None:
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "BUCKET", "SECURE"):
        monkeypatch.delenv(f"BACKSIGHT_S3_{name}", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(f"BACKSIGHT_S3_{name}", value)
    with pytest.raises(UsageError) as caught:
        open_store()
    assert sentence in sentence_of(caught.value)


def test_the_stack_file_fills_in_and_the_environment_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    lines = ["BACKSIGHT_S3_ENDPOINT=file:1", "BACKSIGHT_S3_ACCESS_KEY=fa", "BACKSIGHT_S3_SECRET_KEY=fs"]
    (home / "stack.env").write_text("\n".join([*lines, "MLFLOW_TRACKING_URI=http://127.0.0.1:5000"]))
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "BUCKET", "SECURE"):
        monkeypatch.delenv(f"BACKSIGHT_S3_{name}", raising=False)
    monkeypatch.setenv("BACKSIGHT_S3_ACCESS_KEY", "ea")
    loaded = StoreSettings.load()
    assert (loaded.endpoint, loaded.access_key, loaded.secret_key.get_secret_value()) == ("file:1", "ea", "fs")
    assert "fs" not in repr(loaded)
