"""Runs the pods of an overlay under Podman, from the rendered manifests: their images, environment, users, volumes.

`python -m tests.infra.kubernetes.podman` runs the overlay `kind` but for what needs a cluster's API: all pods share one
network without a way out, in which the Services' names lead to 127.0.0.1. Root file systems are read-only, all
capabilities are dropped, as in the cluster. Then the probes are asked, Postgres is stopped under its clients and
started again, and the dumps are restored. Needs root, Podman and images/build.sh's images.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.cluster.secrets import missing
from infra.policy.manifests import Manifest, Pods, pods, render

OVERLAY = Path(__file__).parents[3] / "infra" / "kubernetes" / "overlays" / "kind"
NEEDS_API = ("worker", "reconciler")
WRITERS = ("prefect", "prefect-services", "mlflow")
"""Who writes to the databases, so has to stop before one is restored."""
NET = "backsight-net"
PATIENCE = 120.0


def main() -> None:
    """Start everything in the order of need, wait until it is ready, run the jobs, take all of it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--keep", action="store_true", help="leave it running")
    options = parser.parse_args()
    manifests = [*render(OVERLAY), *missing({}, "backsight")]
    groups = {group.owner["metadata"]["name"]: group for group in pods(manifests)}
    folder = Path(tempfile.mkdtemp(prefix="backsight-pods-"))
    begun = time.monotonic()
    services = [m["metadata"]["name"] for m in manifests if m["kind"] == "Service"]
    try:
        network = hold_network(services, folder)
        for name in ("postgres", "redis", "s3", "bucket", "prefect", "prefect-services", "mlflow", "backup"):
            run(groups[name], manifests, network, folder)
            print(f"{time.monotonic() - begun:6.1f} s  {name}: ready", flush=True)
        print(f"all pods that need no cluster's API are ready; left out: {', '.join(NEEDS_API)}")
        restart_postgres(groups["postgres"])
        print(f"{time.monotonic() - begun:6.1f} s  postgres: stopped under its clients, ready again", flush=True)
        restore(groups["backup"], manifests, network, folder)
        print(f"{time.monotonic() - begun:6.1f} s  both dumps: restored", flush=True)
        for name in WRITERS:
            podman("start", f"backsight-{name}")
            await_ready(f"backsight-{name}", groups[name].spec["containers"][0])
        print(f"{time.monotonic() - begun:6.1f} s  {', '.join(WRITERS)}: ready on what was restored", flush=True)
    finally:
        if not options.keep:
            podman("rm", "--force", "--depend", "--time", "2", NET, check=False)


def hold_network(services: list[str], folder: Path) -> list[str]:
    """A container that only holds the network which the others join; the options by which they join and know names."""
    podman("rm", "--force", "--depend", NET, check=False)
    podman("run", "--detach", "--name", NET, "--network", "none", "--entrypoint", "sleep", image("services"), "inf")
    names = " ".join(f"{service} {service}.backsight.svc" for service in services)
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {names}\n")
    return ["--network", f"container:{NET}", "--volume", f"{hosts}:/etc/hosts:ro"]


def run(group: Pods, manifests: list[Manifest], network: list[str], folder: Path) -> None:
    """Run a pod's init containers, then its containers until their probes say yes (or, of a Job, until they end)."""
    name = group.owner["metadata"]["name"]
    for container in group.spec.get("initContainers", []):
        podman("run", "--rm", *options(group, container, manifests, network, folder), *words(container))
    for container in group.spec["containers"]:
        wanted = options(group, container, manifests, network, folder)
        if not group.serves:
            print(podman("run", "--rm", *wanted, *words(container)).strip())
            continue
        full = f"backsight-{name}"
        podman("rm", "--force", full, check=False)
        podman("run", "--detach", "--name", full, *wanted, *words(container))
        await_ready(full, container)


def restart_postgres(group: Pods) -> None:
    """As kubelet does it: SIGTERM and the pod's grace; a server that had to be killed would leave another exit code."""
    grace = str(group.spec.get("terminationGracePeriodSeconds", 30))
    podman("stop", "--time", grace, "backsight-postgres")
    code = podman("inspect", "--format", "{{.State.ExitCode}}", "backsight-postgres").strip()
    if code != "0":
        sys.exit(f"Postgres does not end in order when its pod does: exit code {code}.")
    podman("start", "backsight-postgres")
    await_ready("backsight-postgres", group.spec["containers"][0])


def restore(group: Pods, manifests: list[Manifest], network: list[str], folder: Path) -> None:
    """The newest dump of each database, as the drill in docs/cluster.md does it."""
    for name in WRITERS:
        podman("stop", "--time", "30", f"backsight-{name}")

    def backup(*command: str) -> str:
        container = {**group.spec["containers"][0], "command": ["backup", *command], "args": []}
        return podman("run", "--rm", *options(group, container, manifests, network, folder), *words(container))

    dumps = sorted(line for line in backup("list").splitlines() if line.endswith(".dump"))
    for name in ("prefect", "mlflow"):
        newest = [line for line in dumps if line.startswith(f"{name}/")][-1]
        print(backup("restore", *newest.split("/")).strip().splitlines()[-1])


def options(
    group: Pods, container: dict[str, Any], manifests: list[Manifest], network: list[str], folder: Path
) -> list[str]:
    """Podman's words for what a container is given."""
    given = [*network, "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--no-healthcheck"]
    given += [
        "--security-opt",
        "no-new-privileges",
        "--memory",
        container["resources"]["limits"]["memory"].rstrip("i").lower(),
    ]
    user = group.spec["securityContext"]["runAsUser"]
    given += ["--user", f"{user}:{user}"]
    for name, value in environment(container, manifests).items():
        given += ["--env", f"{name}={value}"]
    claims = {claim["metadata"]["name"] for claim in group.owner["spec"].get("volumeClaimTemplates", [])}
    volumes = {volume["name"]: volume for volume in group.spec.get("volumes", [])}
    for mount in container.get("volumeMounts", []):
        volume = volumes.get(mount["name"], {})
        place = folder / group.owner["metadata"]["name"] / mount["name"]
        if mount["name"] in claims or "persistentVolumeClaim" in volume:
            place.mkdir(parents=True, exist_ok=True)
            os.chown(place, user, user)
            given += ["--volume", f"{place}:{mount['mountPath']}"]
        else:
            given += ["--tmpfs", f"{mount['mountPath']}:rw,mode=1777"]
    if "command" in container:
        given += ["--entrypoint", container["command"][0]]
    return [*given, image(container["image"].rpartition("/")[2].partition(":")[0])]


def words(container: dict[str, Any]) -> list[str]:
    """What follows the image."""
    return [*container.get("command", [])[1:], *container.get("args", [])]


def image(name: str) -> str:
    """The image as the build script tagged it."""
    return f"backsight/{name}:0.1.0"


def environment(container: dict[str, Any], manifests: list[Manifest]) -> dict[str, str]:
    """A container's variables, as kubelet resolves them."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        kind, reference = ("ConfigMap", "configMapRef") if "configMapRef" in source else ("Secret", "secretRef")
        found |= values(manifests, kind, source[reference]["name"])
    for variable in container.get("env", []):
        if "value" in variable:
            found[variable["name"]] = expanded(variable["value"], found)
        else:
            reference = variable["valueFrom"]["secretKeyRef"]
            found[variable["name"]] = values(manifests, "Secret", reference["name"])[reference["key"]]
    return found


def values(manifests: list[Manifest], kind: str, name: str) -> Mapping[str, str]:
    """The data of a ConfigMap or Secret."""
    held = next(m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name))
    return {**held.get("data", {}), **held.get("stringData", {})}


def expanded(value: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` replaced by what is known so far."""
    for name, word in known.items():
        value = value.replace(f"$({name})", word)
    return value


def await_ready(full: str, container: dict[str, Any]) -> None:
    """Ask the readiness probe from within until it says yes."""
    probe, deadline = container["readinessProbe"], time.monotonic() + PATIENCE
    while subprocess.run(["podman", "exec", full, *question(probe, container)], capture_output=True).returncode != 0:
        if time.monotonic() > deadline:
            sys.exit(
                f"{full} is not ready after {PATIENCE:.0f} s:\n{podman('logs', '--tail', '20', full, check=False)}"
            )
        time.sleep(1)


def question(probe: dict[str, Any], container: dict[str, Any]) -> list[str]:
    """A probe as a command."""
    if "exec" in probe:
        return list(probe["exec"]["command"])
    asked = probe.get("httpGet") or probe["tcpSocket"]
    port = next(p["containerPort"] for p in container["ports"] if asked["port"] in (p.get("name"), p["containerPort"]))
    if "tcpSocket" in probe:
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 3)"
    else:
        headers = {header["name"]: header["value"] for header in asked.get("httpHeaders", [])}
        address = f"http://127.0.0.1:{port}{asked['path']}"
        code = f"import urllib.request as u; u.urlopen(u.Request({address!r}, headers={headers!r}), timeout=4)"
    return ["python3", "-c", code]


def podman(*command: str, check: bool = True) -> str:
    """Run Podman; its words."""
    done = subprocess.run(["podman", *command], capture_output=True, text=True)
    if check and done.returncode != 0:
        sys.exit(f"podman {command[0]} failed with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout + done.stderr


if __name__ == "__main__":
    main()
