"""The launcher of a profile."""

from __future__ import annotations

import os
from collections.abc import Mapping

from flows.launch.contract import Launcher
from flows.launch.resources import StageResources, for_spec, read_table
from flows.launch.settings import LaunchSettings, Profile
from tasks.settings import STACK_ENV, PlatformSettings, home
from tasks.spec import StageResult, StageSpec
from tasks.stage import known_under
from tasks.store import ArtefactStore
from tasks.tracking import PARENT_VARIABLE

HANDED_ON = (PARENT_VARIABLE, "BACKSIGHT_CODE_VERSION")
"""Variables that a task elsewhere needs from the flow run that launches it."""


def launcher_of(settings: LaunchSettings, store: ArtefactStore) -> Launcher:
    """The launcher that the settings ask for. Nothing is asked of any platform yet."""
    match settings.profile:
        case Profile.CLUSTER:
            return _kubernetes(settings, store)
        case Profile.CONTAINER:
            from flows.launch.container import ContainerLauncher

            return ContainerLauncher(settings.images, settings.engine, settings.network, home() / STACK_ENV)
        case Profile.LOCAL:
            from flows.launch.process import ProcessLauncher

            return ProcessLauncher(home() / "jobs")


def _kubernetes(settings: LaunchSettings, store: ArtefactStore) -> Launcher:
    from flows.launch.cluster_api import ClusterApi
    from flows.launch.kubeconfig import connection
    from flows.launch.kubernetes import KubernetesLauncher
    from flows.launch.manifests import Place

    def known(key: str) -> StageResult | None:
        return known_under(store, key)

    place = Place(settings.namespace, images=settings.images, queues=settings.queues)
    cluster = ClusterApi(connection(), settings.namespace)
    return KubernetesLauncher(cluster, place, known, jobset=settings.jobset, patience=settings.patience)


def resources_of(settings: LaunchSettings, preset: str, spec: StageSpec) -> StageResources:
    """What a stage gets under a preset; on this machine's processes the table has no say."""
    if settings.profile is Profile.LOCAL:
        return StageResources()
    return for_spec(read_table(settings.resources).row(preset, spec.stage), spec)


def handed_on(settings: LaunchSettings, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that the task needs of this process; pods are told by the platform where MLflow is."""
    told = {name: environment[name] for name in HANDED_ON if name in environment}
    mlflow = PlatformSettings.load().mlflow_tracking_uri
    return {**told, "MLFLOW_TRACKING_URI": mlflow} if mlflow and settings.profile is Profile.CONTAINER else told
