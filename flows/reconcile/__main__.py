"""`python -m flows.reconcile`: runs in the cluster beside Prefect, until it is stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading

from flows.launch.cluster_api import ClusterApi
from flows.launch.kubeconfig import connection
from flows.launch.kubernetes import KubernetesLauncher
from flows.launch.manifests import Place
from flows.launch.settings import LaunchSettings
from flows.pools import SERVICES
from flows.reconcile.loop import Reconciler
from flows.reconcile.sides import Cluster, Prefect
from tasks.errors import BacksightError, UsageError
from tasks.settings import PlatformSettings

EVERY = 15.0
"""Seconds between readings: two of them and the age that a state must have make less than a minute."""


def reconciler() -> Reconciler:
    """The reconciler that the environment asks for."""
    url = PlatformSettings.load().prefect_api_url
    if url is None:
        raise UsageError("No Prefect server is configured: set PREFECT_API_URL.")
    settings, where = LaunchSettings.load("cluster"), connection()
    tasks = ClusterApi(where, settings.namespace)
    pool = os.environ.get("BACKSIGHT_RECONCILE_POOL", "cluster")
    prefect = Prefect(url, pool, os.environ.get("PREFECT_API_AUTH_STRING"))
    launcher = KubernetesLauncher(tasks, Place(settings.namespace), jobset=settings.jobset)
    services = ClusterApi(where, os.environ.get("BACKSIGHT_RECONCILE_NAMESPACE", SERVICES))
    return Reconciler(prefect, Cluster(services, tasks), launcher, say=lambda text: print(text, flush=True))


def main() -> int:
    """Turn after turn until SIGTERM; gives the exit code."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        found = reconciler()
    except BacksightError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    found.say(
        f"reconciling pool {found.prefect.pool} with namespaces {found.cluster.services.namespace} and "
        f"{found.cluster.tasks.namespace} every {EVERY:g} s"
    )
    while not stopped.is_set():
        found.turn()
        stopped.wait(EVERY)
    return 0


if __name__ == "__main__":
    sys.exit(main())
