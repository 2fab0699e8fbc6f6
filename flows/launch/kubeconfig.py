"""How to reach a cluster: from inside a pod by its service account, from outside by a kubeconfig."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tasks.errors import BacksightError, UsageError
from tasks.yaml_file import read_keys

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
EXEC_SECONDS = 30
EXPIRY_MARGIN = 60.0

Token = Callable[[], str | None]


@dataclass(frozen=True)
class Connection:
    """Where a cluster's API is, and as whom one speaks to it."""

    server: str
    trust: ssl.SSLContext | bool
    token: Token
    source: str
    """What said so, for error sentences."""


def connection(environment: Mapping[str, str] = os.environ, account: Path = ACCOUNT) -> Connection:
    """By $KUBECONFIG, else by the pod's own account, else by ~/.kube/config; a `UsageError` where none is there."""
    if named := environment.get("KUBECONFIG"):
        return from_kubeconfig(Path(named.split(os.pathsep)[0]))
    if (host := environment.get("KUBERNETES_SERVICE_HOST")) and (account / "token").exists():
        return in_cluster(host, environment.get("KUBERNETES_SERVICE_PORT", "443"), account)
    usual = Path.home() / ".kube" / "config"
    if usual.exists():
        return from_kubeconfig(usual)
    raise UsageError("No cluster is configured: set KUBECONFIG to a kubeconfig, or run this inside the cluster.")


def in_cluster(host: str, port: str, account: Path = ACCOUNT) -> Connection:
    """By the service account of this pod. Its token is replaced every hour, so it is read for every request."""
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    trust = _lenient(ssl.create_default_context(cafile=str(account / "ca.crt")))
    return Connection(server, trust, lambda: (account / "token").read_text().strip(), "the pod's service account")


def from_kubeconfig(path: Path) -> Connection:
    """By the current context of a kubeconfig. `UsageError` where it cannot be read or names what it does not hold."""
    config = read_keys(path, "The kubeconfig", "current-context: NAME")
    if not config.get("current-context"):
        raise UsageError(f"The kubeconfig {path} names no current-context: `kubectl config use-context` sets one.")
    context = _entry(path, config, "contexts", config["current-context"])["context"]
    cluster = _entry(path, config, "clusters", context["cluster"])["cluster"]
    user = _entry(path, config, "users", context["user"])["user"] if context.get("user") else {}
    return Connection(cluster["server"].rstrip("/"), _trust(path, cluster, user), _token(path, user), f"{path}")


def _entry(path: Path, config: dict[str, Any], section: str, name: str) -> dict[str, Any]:
    found = next((entry for entry in config.get(section) or [] if entry.get("name") == name), None)
    if found is None:
        raise UsageError(f"The kubeconfig {path} holds no entry '{name}' among its {section}.")
    return dict(found)


def _trust(path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext | bool:
    if cluster["server"].startswith("http://"):
        return False
    try:
        authority = _beside(path, cluster.get("certificate-authority"))
        data = _decoded(cluster.get("certificate-authority-data"))
        context = _lenient(ssl.create_default_context(cafile=authority, cadata=data))
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _show_certificate(context, path, user)
    except (OSError, ValueError) as error:
        raise UsageError(f"The kubeconfig {path} holds certificates that cannot be used: {error}.") from error
    return context


def _lenient(context: ssl.SSLContext) -> ssl.SSLContext:
    """Newer Pythons refuse authorities without a key identifier, which many a cluster makes for itself."""
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _show_certificate(context: ssl.SSLContext, path: Path, user: dict[str, Any]) -> None:
    certificate, key = _beside(path, user.get("client-certificate")), _beside(path, user.get("client-key"))
    data, key_data = _decoded(user.get("client-certificate-data")), _decoded(user.get("client-key-data"))
    if certificate and key:
        context.load_cert_chain(certificate, key)
    elif data and key_data:
        # Python's TLS takes a chain from files only; this one is gone again before anyone else could read it.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as chain:
            chain.write(f"{data}\n{key_data}\n")
            chain.flush()
            context.load_cert_chain(chain.name)


def _beside(path: Path, name: str | None) -> str | None:
    return str(path.parent / name) if name else None


def _decoded(data: str | None) -> str | None:
    return base64.b64decode(data).decode() if data else None


def _token(path: Path, user: dict[str, Any]) -> Token:
    if token := user.get("token"):
        return lambda: str(token)
    if file := _beside(path, user.get("tokenFile")):
        return lambda: Path(file).read_text().strip()
    if plugin := user.get("exec"):
        return ExecToken(path, plugin)
    return lambda: None


class ExecToken:
    """A token that a command prints (cloud clusters), kept until it expires."""

    def __init__(self, path: Path, plugin: dict[str, Any]) -> None:
        self.path = path
        self.plugin = plugin
        self.token: str | None = None
        self.until: float | None = 0.0

    def __call__(self) -> str | None:
        """The token that is valid now."""
        if self.until is not None and datetime.now().timestamp() >= self.until - EXPIRY_MARGIN:
            status = self._asked()
            self.token, expires = status.get("token"), status.get("expirationTimestamp")
            self.until = datetime.fromisoformat(expires).timestamp() if expires else None
        return self.token

    def _asked(self) -> dict[str, Any]:
        command = [self.plugin["command"], *(self.plugin.get("args") or [])]
        added = {entry["name"]: entry["value"] for entry in self.plugin.get("env") or []}
        version = self.plugin.get("apiVersion", "client.authentication.k8s.io/v1")
        info = {"kind": "ExecCredential", "apiVersion": version, "spec": {"interactive": False}}
        environment = {**os.environ, **added, "KUBERNETES_EXEC_INFO": json.dumps(info)}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=EXEC_SECONDS, check=True
            )
            return dict(json.loads(done.stdout)["status"])
        except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
            told = getattr(error, "stderr", None) or str(error)
            last = (told.strip().splitlines() or ["nothing"])[-1]
            raise BacksightError(
                f"The command {command[0]} that the kubeconfig {self.path} names gave no credentials: {last}"
            ) from error
