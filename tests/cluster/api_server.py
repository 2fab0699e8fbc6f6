"""A Kubernetes API for tests: kmock's emulator with what a real server adds, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp.web
import attrs
import kmock
import yaml
from kmock._internal.apps import Server
from kmock._internal.rendering import Request

PLURALS = {
    "pods": "v1/pods",
    "configmaps": "v1/configmaps",
    "secrets": "v1/secrets",
    "services": "v1/services",
    "events": "v1/events",
    "jobs": "batch/v1/jobs",
    "jobsets": "jobset.x-k8s.io/v1alpha2/jobsets",
    "workloads": "kueue.x-k8s.io/v1beta2/workloads",
}
ALWAYS = ("pods", "configmaps", "secrets", "services", "events", "jobs")

Object = dict[str, Any]


@dataclass(frozen=True)
class Denial:
    """A request that the server refuses."""

    method: str
    plural: str
    status: int
    reason: str
    message: str


class Right(NamedTuple):
    """A verb on a kind, as a Role grants it."""

    verb: str
    resource: str


Rights = frozenset[Right]
VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update"}


def right(request: Request, plural: str) -> Right:
    """What a request takes."""
    one = bool(request.name)
    reading, ending = ("get", "delete") if one else ("list", "deletecollection")
    verb = {**VERBS, "GET": reading, "DELETE": ending}[request.method.value]
    return Right(verb, f"{plural}/{request.subresource}" if request.subresource else plural)


def granted(manifests: Path, role: str, *namespaces: str) -> Rights:
    """What the Roles of a name in a file of manifests grant."""
    roles = [m for m in yaml.safe_load_all(manifests.read_text()) if m["kind"] == "Role"]
    wanted = [m for m in roles if m["metadata"]["name"] == role and m["metadata"]["namespace"] in namespaces]
    rules = [rule for m in wanted for rule in m["rules"]]
    return frozenset(Right(v, r) for rule in rules for r in rule["resources"] for v in rule["verbs"])


def now() -> str:
    """The time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp() -> str:
    """The time of a log line."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


@attrs.define(kw_only=True, slots=False)
class Emulator(kmock.KubernetesEmulator):
    """Gives objects ids and times, serves logs, refuses what it is told to, and counts."""

    logs: dict[str, list[tuple[str, str]]] = attrs.field(factory=dict)
    denials: list[Denial] = attrs.field(factory=list)
    silent: bool = False
    """Whether it answers 503 to everything."""
    node_lost: bool = False
    """Whether the node that it has to ask for logs is out of reach."""
    rights: Rights | None = None
    """What may be asked of kinds; None = everything."""

    async def _handle(self, request: Request) -> aiohttp.web.StreamResponse:
        plural = request.resource.plural if request.resource else None
        if self.silent:
            return aiohttp.web.json_response({"message": "shutting down"}, status=503)
        for denial in self.denials:
            if (denial.method, denial.plural) == (request.method.value, plural):
                body = {"kind": "Status", "status": "Failure", "reason": denial.reason, "message": denial.message}
                return aiohttp.web.json_response({**body, "code": denial.status}, status=denial.status)
        if self.rights is not None and plural and (asked := right(request, plural)) not in self.rights:
            said = f"{asked.resource} is forbidden: the test's account cannot {asked.verb} it"
            body = {"kind": "Status", "status": "Failure", "reason": "Forbidden", "message": said}
            return aiohttp.web.json_response({**body, "code": 403}, status=403)
        if plural == "pods" and request.subresource == "log":
            return self._log(request)
        if request.method.value == "POST" and isinstance(request.data, dict):
            request.data["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
        return await super()._handle(request)

    def _log(self, request: Request) -> aiohttp.web.StreamResponse:
        if self.node_lost:
            said = 'Get "https://172.18.0.2:10250/containerLogs/x": dial tcp 172.18.0.2:10250: no route to host'
            return aiohttp.web.json_response({"kind": "Status", "message": said, "code": 500}, status=500)
        lines = self.logs.get(request.name or "")
        if lines is None:
            return aiohttp.web.json_response({"message": "container is waiting to start"}, status=400)
        if since := request.params.get("sinceTime"):
            lines = [line for line in lines if line[0] >= since.removesuffix("Z")]
        if tail := request.params.get("tailLines"):
            lines = lines[-int(tail) :]
        return aiohttp.web.Response(text="".join(f"{at} {text}\n" for at, text in lines))


@dataclass
class ApiServer:
    """The server, and direct sight of its objects for controllers and tests."""

    emulator: Emulator
    loop: asyncio.AbstractEventLoop
    url: str
    namespace: str

    def all(self, plural: str) -> list[Object]:
        """The living objects of a kind."""
        found = list(self.emulator.objects.items())
        return [o.raw for (r, ns, _), o in found if r.plural == plural and ns == self.namespace and not o.deleted]

    def one(self, plural: str, name: str) -> Object | None:
        """A living object by its name."""
        return next((o for o in self.all(plural) if o["metadata"]["name"] == name), None)

    def put(self, plural: str, name: str, body: Object) -> None:
        """Make an object, as a controller or a person would."""
        given = body.get("metadata") or {}
        meta = {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": now(),
            **given,
            "name": name,
            "namespace": self.namespace,
        }
        key = (PLURALS[plural], self.namespace, name)
        if key in self.emulator.objects and self.emulator.objects[key].deleted:
            self.emulator.objects[key].create({**body, "metadata": meta})
        else:
            self.emulator.objects[key] = {**body, "metadata": meta}

    def change(self, plural: str, name: str, change: Object) -> None:
        """Merge into an object that is there; one that was removed meanwhile stays away."""
        held = self.emulator.objects[PLURALS[plural], self.namespace, name]
        if not held.deleted:
            held.patch(change)

    def remove(self, plural: str, name: str) -> None:
        """Take an object away at once."""
        self.emulator.objects[PLURALS[plural], self.namespace, name].delete()

    def condition(self, plural: str, name: str, kind: str, reason: str, message: str = "", true: bool = True) -> None:
        """Set a condition of an object's status."""
        found = self.one(plural, name)
        assert found is not None, f"no {plural}/{name}"
        held = (found.get("status") or {}).get("conditions") or []
        new = {"type": kind, "status": str(true), "reason": reason, "message": message, "lastTransitionTime": now()}
        self.change(plural, name, {"status": {"conditions": [c for c in held if c["type"] != kind] + [new]}})

    def warn(self, about: str, reason: str, message: str) -> None:
        """An event of type Warning."""
        body = {"involvedObject": {"name": about}, "type": "Warning", "lastTimestamp": now()}
        self.put("events", f"{about}.{reason}".lower(), {**body, "reason": reason, "message": message})

    def asked(self, method: str, plural: str) -> list[Request]:
        """The requests of a kind so far."""
        requests = list(self.emulator._requests)
        return [r for r in requests if r.method.value == method and r.resource and r.resource.plural == plural]


class Thread:
    """Runs an API server and its controllers until it is stopped."""

    def __init__(
        self, namespace: str, served: tuple[str, ...], work: Callable[[ApiServer], Coroutine[Any, Any, None]]
    ) -> None:
        self.namespace = namespace
        self.served = (*ALWAYS, *served)
        self.work = work
        self.ready = threading.Event()
        self.server: ApiServer | None = None
        self.leave: asyncio.Event | None = None
        self.thread = threading.Thread(target=lambda: asyncio.run(self._live()))

    def start(self) -> ApiServer:
        """Returns when it answers."""
        self.thread.start()
        assert self.ready.wait(10), "the API server did not start"
        assert self.server is not None
        return self.server

    def stop(self) -> None:
        """Returns when its thread is gone."""
        assert self.server is not None and self.leave is not None
        self.server.loop.call_soon_threadsafe(self.leave.set)
        self.thread.join(20)
        assert not self.thread.is_alive(), "the API server did not stop"

    async def _live(self) -> None:
        async with Emulator() as emulator, Server(emulator) as listening:
            for plural in self.served:
                emulator.resources[PLURALS[plural]].namespaced = True
            url = str(listening.url).rstrip("/")
            self.server = ApiServer(emulator, asyncio.get_running_loop(), url, self.namespace)
            self.leave = asyncio.Event()
            work = asyncio.create_task(self.work(self.server))
            await asyncio.sleep(0)
            self.ready.set()
            gone = asyncio.create_task(self.leave.wait())
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            work.cancel()
            gone.cancel()
            results = await asyncio.gather(work, return_exceptions=True)
            errors = [r for r in results if isinstance(r, Exception)]
            if errors:
                raise errors[0]
