"""The stack's S3 server: `rclone serve s3` over a folder, with credentials made at the first `up`."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path

from infra.local import http
from infra.local.ports import LOOPBACK
from infra.local.service import NotReady, Service, StackPlan
from tasks.errors import BacksightError

BUCKET = "backsight"
REFUSALS = (400, 403)
"""What a request without credentials is answered with: rclone says 400."""


def service(plan: StackPlan) -> Service:
    """The S3 server, as a service."""
    folder, url = plan.layout.folder("s3"), plan.url("s3")
    address = f"{LOOPBACK}:{plan.ports['s3']}"
    return Service(
        name="s3",
        command=(rclone(), "serve", "s3", str(folder), "--addr", address, "--config", ""),
        answers=lambda _: check(url),
        address=url,
        folder=folder,
        # In the environment, since a command line can be read by every user of the machine.
        environment={"RCLONE_AUTH_KEY": f'"{plan.keys.access},{plan.keys.secret}"'},
        port=plan.ports["s3"],
        prepare=lambda: (folder / BUCKET).mkdir(exist_ok=True),
    )


def rclone() -> str:
    """Path of rclone: the one installed beside this Python, else the one on the PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "rclone"
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if found is None:
        raise BacksightError("rclone, which serves S3 here, is not installed: run `make install`.")
    return found


def check(url: str) -> None:
    """Raise `NotReady` until the server answers, and refuses who has no credentials."""
    status = http.status_of(url)
    if status not in REFUSALS:
        raise NotReady(f"the server answered {status} to a request without credentials")
