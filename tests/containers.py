"""A container engine for tests, and an image made of this machine's own Python: nothing is fetched from anywhere."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from tasks.errors import BacksightError

IMAGE = "backsight-tests/python:1"
LEFT_OUT = ("site-packages", "test", "tests", "idlelib", "tkinter", "lib2to3", "ensurepip", "__pycache__", "turtledemo")


@contextmanager
def engine(folder: Path) -> Iterator[str]:
    """Address of an engine: the one that answers here, else a Docker daemon of the test's own.

    Raises `BacksightError` where none answers and none can be started, with the reason.
    """
    from flows.launch.engine import connect

    try:
        connect(None)
        yield os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        return
    except BacksightError as error:
        daemon = shutil.which("dockerd")
        if daemon is None or os.geteuid() != 0:
            raise BacksightError(f"{error} No dockerd is installed for root to start.") from error
    with started(daemon, folder) as address:
        yield address


@contextmanager
def started(daemon: str, folder: Path) -> Iterator[str]:
    """A Docker daemon with all its state in a folder, without any network of its own."""
    from flows.launch.engine import connect

    folder.mkdir(parents=True, exist_ok=True)
    address = f"unix://{folder}/docker.sock"
    places = ("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid")
    alone = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--host", address)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([daemon, *places, *alone], stdout=log, stderr=log)
    try:
        _wait(process, address, folder / "log")
        yield address
    finally:
        client = connect(address) if process.poll() is None else None
        for container in client.containers.list(all=True) if client else ():
            container.remove(v=True, force=True)
        process.terminate()
        process.wait(30)
        _unmount(folder)


def _unmount(folder: Path) -> None:
    """The daemon leaves a network namespace mounted, and what is mounted cannot be removed."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in mounted:
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", "-l", place], check=True)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    from flows.launch.engine import connect

    for _ in range(150):
        try:
            connect(address)
        except BacksightError as error:
            if process.poll() is not None:
                last = (log.read_text().strip().splitlines() or ["nothing"])[-1]
                raise BacksightError(f"dockerd did not start: {last}") from error
            time.sleep(0.1)
        else:
            return
    process.terminate()
    raise BacksightError("dockerd did not answer within 15 s.")


def load_python(address: str) -> str:
    """Load the image into an engine, unless it is there; its name."""
    from flows.launch.engine import connect

    client = connect(address)
    if not client.images.list(IMAGE):
        client.api.import_image_from_data(root_of_python(), *IMAGE.split(":"))
    return IMAGE


@contextmanager
def stages_in_containers(folder: Path, archives: Path) -> Iterator[dict[str, str]]:
    """The variables of the profile `container` with the images that `images/build.sh --save ARCHIVES` wrote.

    Raises `BacksightError` where there is no engine, or an archive of the collector or the trainer is missing.
    """
    with engine(folder) as address:
        named = load_images(address, archives)
        # On one machine whoever is to take a stage answers soon or not at all.
        here = {"BACKSIGHT_PROFILE": "container", "BACKSIGHT_LAUNCH_PATIENCE": "60"}
        yield {**here, "BACKSIGHT_LAUNCH_ENGINE": address, **named}


def load_images(address: str, archives: Path) -> dict[str, str]:
    """Load the archives into an engine; variable of a launcher -> image."""
    from flows.launch.engine import connect

    client, named = connect(address), {}
    for kind in ("collector", "trainer"):
        image = f"backsight/{kind}:{version('backsight')}"
        archive = archives / f"{kind}-{version('backsight')}.tar"
        if not archive.is_file():
            raise BacksightError(f"There is no {archive}: write it with `images/build.sh --save {archives} {kind}`.")
        with archive.open("rb") as held:
            client.images.load(held)
        named[f"BACKSIGHT_LAUNCH_IMAGE_{kind.upper()}"] = image
    return named


def root_of_python() -> bytes:
    """A root file system with Python's binary, its library, and what both are linked to."""
    binary = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    modules = sorted((library / "lib-dynload").glob("*.so"))
    linked = {found for path in (binary, *modules) for found in links(path)}
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for path in (binary, *linked):
            archive.add(path.resolve(), str(path).lstrip("/"))
        archive.add(library, str(library).lstrip("/"), filter=lambda info: None if _unneeded(info.name) else info)
        for name, owner in (("tmp", 0), ("home/backsight", 10_001)):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, 0o755, owner, owner
            archive.addfile(info)
    return held.getvalue()


def _unneeded(name: str) -> bool:
    return any(part in LEFT_OUT or part.startswith("config-") for part in name.split("/"))


def links(binary: Path) -> set[Path]:
    """The shared libraries that a binary needs, and the loader."""
    said = subprocess.run(["ldd", str(binary)], capture_output=True, text=True).stdout
    return {Path(word) for line in said.splitlines() for word in line.split() if word.startswith("/")}
