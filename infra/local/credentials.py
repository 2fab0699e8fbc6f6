"""`stack.env`: the addresses and credentials of the local stack, as `tasks.settings` reads them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from tasks import files

ACCESS_KEY = "BACKSIGHT_S3_ACCESS_KEY"
SECRET_KEY = "BACKSIGHT_S3_SECRET_KEY"


@dataclass(frozen=True)
class S3Keys:
    """Credentials of the stack's S3 server; the secret shows in no repr."""

    access: str
    secret: str

    def __repr__(self) -> str:
        """The access key alone."""
        return f"S3Keys(access={self.access!r})"


def keys_of(stack_env: Path) -> S3Keys:
    """The keys that a stack has used before, or new ones."""
    known = read_env(stack_env)
    if ACCESS_KEY in known and SECRET_KEY in known:
        return S3Keys(known[ACCESS_KEY], known[SECRET_KEY])
    return S3Keys(f"backsight{secrets.token_hex(6)}", secrets.token_hex(24))


def read_env(path: Path) -> dict[str, str]:
    """Name -> value of the lines `NAME=value` in a file; none where there is no file."""
    if not path.exists():
        return {}
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def write_env(path: Path, values: dict[str, str]) -> None:
    """Write `NAME=value` lines with mode 600; an unchanged file is left alone."""
    if read_env(path) != values:
        files.write(path, "".join(f"{name}={value}\n" for name, value in values.items()).encode(), mode=0o600)
