"""The few requests of the Kubernetes API that launchers need; every failure is told in a sentence."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flows.launch.kubeconfig import Connection
from tasks.errors import BacksightError

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
TRIES = 4
LOG_SECONDS, LOG_TRIES = 10.0, 2
"""A log comes from the pod's node through the API; a node that is lost keeps the API waiting for it."""
BUSY = frozenset({429, 500, 502, 503, 504})
NO_WEBHOOK = "failed calling webhook"
"""Of an API that is well, but has to ask a webhook (JobSet's, Kueue's) that nobody serves."""
CONFLICT, NOT_FOUND, FORBIDDEN, UNAUTHORIZED = 409, 404, 403, 401

Object = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of objects as the API's addresses name it."""

    path: str
    """`api/v1` or `apis/<group>/<version>`."""
    plural: str


PODS = Kind("api/v1", "pods")
CONFIG_MAPS = Kind("api/v1", "configmaps")
SERVICES = Kind("api/v1", "services")
EVENTS = Kind("api/v1", "events")
JOBS = Kind("apis/batch/v1", "jobs")
JOBSETS = Kind("apis/jobset.x-k8s.io/v1alpha2", "jobsets")
WORKLOADS = Kind("apis/kueue.x-k8s.io/v1beta2", "workloads")


class Unreachable(BacksightError):
    """The cluster's API does not answer: nothing is known, which is not to say that nothing runs."""


class Refused(BacksightError):
    """The API answered no."""

    def __init__(self, sentence: str, status: int, reason: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason


class ClusterApi:
    """Speaks to one namespace of one cluster. A request that meets a busy server or no answer is tried again."""

    def __init__(
        self, connection: Connection, namespace: str, patience: float = 1.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.connection = connection
        self.namespace = namespace
        self.patience = patience
        """Seconds before the second try; each further one waits twice as long."""
        self.sleep = sleep

    @cached_property
    def client(self) -> httpx.Client:
        """The connection pool; opened at the first request, so that it is never shared with a parent process."""
        import httpx

        server, timeout = httpx.URL(self.connection.server), httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        # As kubectl does: $HTTPS_PROXY leads to other machines, not to a cluster on this one.
        outside = not _is_this_machine(server.host)
        return httpx.Client(base_url=server, verify=self.connection.trust, timeout=timeout, trust_env=outside)

    def get(self, kind: Kind, name: str) -> Object | None:
        """An object; None where there is none of this name."""
        answer = self._ask("GET", self._address(kind, name), absent_ok=True)
        return None if answer is None else dict(answer.json())

    def list(self, kind: Kind, labels: Mapping[str, str], fields: str | None = None) -> list[Object]:
        """All objects with these labels, page by page."""
        wanted: dict[str, str] = {"limit": "500"}
        if labels:
            wanted["labelSelector"] = ",".join(f"{name}={value}" if value else name for name, value in labels.items())
        if fields:
            wanted["fieldSelector"] = fields
        found: list[Object] = []
        while True:
            answer = self._ask("GET", self._address(kind), params=wanted)
            assert answer is not None
            page = answer.json()
            found += [item for item in page.get("items") or [] if _carries(item, labels)]
            if not (more := page["metadata"].get("continue")):
                return found
            wanted["continue"] = more

    def create(self, kind: Kind, body: Object) -> Object | None:
        """A new object; None where one of its name is there already."""
        try:
            answer = self._ask("POST", self._address(kind), json=body)
        except Refused as refusal:
            if refusal.status == CONFLICT:
                return None
            raise
        assert answer is not None
        return dict(answer.json())

    def patch(self, kind: Kind, name: str, change: Object) -> bool:
        """Merge a change into an object; False where it is gone."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._ask("PATCH", self._address(kind, name), absent_ok=True, json=change, headers=headers) is not None

    def delete(self, kind: Kind, name: str, grace: int | None = None) -> bool:
        """Delete an object and, after it, all that it owns; False where it is gone."""
        wish: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if grace is not None:
            wish["gracePeriodSeconds"] = grace
        return self._ask("DELETE", self._address(kind, name), absent_ok=True, json=wish) is not None

    def logs(self, pod: str, container: str, since: str | None = None, tail: int | None = None) -> str | None:
        """What a container has written, each line after its time; empty where it has not started or is gone.

        None where its node does not hand it out, which says nothing of the API itself.
        """
        wanted = {"container": container, "timestamps": "true"}
        if since:
            wanted["sinceTime"] = since
        if tail:
            wanted["tailLines"] = str(tail)
        try:
            address = f"{self._address(PODS, pod)}/log"
            answer = self._ask("GET", address, absent_ok=True, tries=LOG_TRIES, params=wanted, timeout=LOG_SECONDS)
        except Unreachable:
            return None
        except Refused as refusal:
            if refusal.status == 400:  # "container is waiting to start", or its log was rotated away
                return ""
            raise
        return "" if answer is None else answer.text

    def serves(self, kind: Kind) -> bool:
        """Whether the cluster has such objects at all."""
        answer = self._ask("GET", f"/{kind.path}", absent_ok=True)
        return answer is not None and kind.plural in {r["name"] for r in answer.json().get("resources") or []}

    def _address(self, kind: Kind, name: str | None = None) -> str:
        place = f"/{kind.path}/namespaces/{self.namespace}/{kind.plural}"
        return f"{place}/{name}" if name else place

    def _ask(
        self,
        method: str,
        address: str,
        absent_ok: bool = False,
        headers: Mapping[str, str] | None = None,
        tries: int = TRIES,
        **options: Any,
    ) -> httpx.Response | None:
        answer = self._answered(method, address, dict(headers or {}), tries, options)
        if answer.status_code == NOT_FOUND and absent_ok:
            return None
        if answer.is_success:
            return answer
        raise self._refusal(method, address, answer)

    def _answered(
        self, method: str, address: str, headers: dict[str, str], tries: int, options: dict[str, Any]
    ) -> httpx.Response:
        import httpx

        wait, last = self.patience, ""
        for attempt in range(tries):
            if attempt:
                self.sleep(wait)
                wait *= 2
            if token := self.connection.token():
                headers["Authorization"] = f"Bearer {token}"
            try:
                answer = self.client.request(method, address, headers=headers, **options)
            except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                last = " ".join(str(error).split()) or type(error).__name__
                continue
            if not _worth_another_try(answer):
                return answer
            if attempt == tries - 1 and NO_WEBHOOK in answer.text:
                return answer
            last = f"it answered {answer.status_code}: {_told(answer)[1]}"
        raise Unreachable(
            f"The cluster at {self.connection.server} does not answer ({last}): correct {self.connection.source}, "
            "or wait until its API is back."
        )

    def _refusal(self, method: str, address: str, answer: httpx.Response) -> Refused:
        reason, message = _told(answer)
        what = f"{method} {address.rsplit('/namespaces/', 1)[-1]}"
        if answer.status_code == UNAUTHORIZED:
            sentence = f"The cluster at {self.connection.server} does not know who asks: renew the credentials in "
            sentence += f"{self.connection.source}."
        elif answer.status_code == FORBIDDEN and "exceeded quota" in message:
            sentence = f"The quota of namespace {self.namespace} is used up: {message}"
        elif answer.status_code == FORBIDDEN:
            sentence = f"The cluster does not permit {what}: {message}"
        elif NO_WEBHOOK in message:
            sentence = f"The cluster cannot take {what}, for who is to check it does not answer ({message}): start the "
            sentence += "controller that this webhook belongs to, or remove the webhook."
        elif answer.status_code == NOT_FOUND:
            sentence = f"The cluster has no place for {what} ({message}): is the namespace {self.namespace} there?"
        else:
            sentence = f"The cluster refused {what} ({answer.status_code} {reason}): {message}"
        return Refused(" ".join(sentence.split()), answer.status_code, reason)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _worth_another_try(answer: httpx.Response) -> bool:
    """Whether the server was busy, or two writers met at a quota; not an object that is there, not a webhook's no."""
    if answer.status_code == CONFLICT:
        return _told(answer)[0] == "Conflict"
    return answer.status_code in BUSY and not ("admission webhook" in answer.text and "denied" in answer.text)


def _told(answer: httpx.Response) -> tuple[str, str]:
    try:
        status = answer.json()
        return str(status.get("reason") or ""), str(status.get("message") or "it gives no reason")
    except (ValueError, AttributeError):
        return "", answer.text[:200] or "it gives no reason"


def _carries(item: Object, labels: Mapping[str, str]) -> bool:
    own = item.get("metadata", {}).get("labels") or {}
    return all(own.get(name) == value if value else name in own for name, value in labels.items())
