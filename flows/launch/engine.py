"""The container engine behind the Docker API, and its refusals in sentences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tasks.errors import BacksightError

if TYPE_CHECKING:
    from docker.models.containers import Container

ANSWER_SECONDS = 120
CONFLICT = 409


def connect(address: str | None) -> Any:
    """A client of the engine at an address, else of the one that $DOCKER_HOST names."""
    import docker
    from docker.errors import DockerException

    try:
        if address:
            client = docker.DockerClient(base_url=address, version="auto", timeout=ANSWER_SECONDS)
        else:
            client = docker.from_env(version="auto", timeout=ANSWER_SECONDS)
        client.ping()
    except DockerException as error:
        raise BacksightError(
            f"No container engine answers at {address or '$DOCKER_HOST or its usual socket'} ({_short(error)}): start "
            "Docker, or Podman's socket (`podman system service`), or set DOCKER_HOST."
        ) from error
    return client


def called(client: Any, image: str, stage: str, settings: dict[str, Any]) -> Container | None:
    """A new container; None where there is one of its name. The image is pulled where the engine does not have it."""
    from docker.errors import APIError, ImageNotFound

    try:
        try:
            made: Container = client.containers.create(image, **settings)
        except ImageNotFound:
            _pull(client, image, stage)
            made = client.containers.create(image, **settings)
    except APIError as error:
        if error.status_code == CONFLICT:
            return None
        raise BacksightError(f"The container engine made no container for {stage}: {_short(error)}") from error
    return made


def settled_start(container: Container, stage: str) -> None:
    """Start a container; where the engine cannot, it is removed again and the reason told."""
    from docker.errors import APIError

    try:
        container.start()
    except APIError as error:
        container.remove(v=True, force=True)
        said = _short(error)
        if re.search(r"device driver.*gpu|nvidia", said):
            said = f"it has no GPU to give ({said})"
        raise BacksightError(f"The container engine could not start {stage}: {said}") from error


def _pull(client: Any, image: str, stage: str) -> None:
    from docker.errors import APIError

    try:
        client.images.pull(image)
    except APIError as error:
        raise BacksightError(
            f"The image {image} of {stage} cannot be had ({_short(error)}): build it (`images/build.sh`), "
            "load it, or correct its name."
        ) from error


def _short(error: Exception) -> str:
    said = getattr(error, "explanation", None) or str(error)
    return " ".join(str(said).split())[:300]
