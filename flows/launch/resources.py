"""What each stage gets of a cluster: the one table (`resources.yaml`), typed, and the pods that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from tasks.errors import UsageError
from tasks.spec import Frozen, StageSpec
from tasks.yaml_file import read_keys

TABLE = Path(__file__).with_name("resources.yaml")


class Toleration(Frozen):
    """A taint of nodes that a stage may run on all the same."""

    key: str
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"


class StageResources(Frozen):
    """What one pod of a stage gets, and how many pods there are."""

    image: Literal["collector", "trainer"] = Field("trainer", description="Which image holds its task.")
    cpu: float = Field(1.0, gt=0, description="Cores of one pod.")
    least_cpu: float | None = Field(None, gt=0, description="Cores that must be free for a pod to start; none = all.")
    memory_gib: float = Field(2.0, gt=0, description="Memory of one pod, /dev/shm included.")
    shm_gib: float = Field(0.25, gt=0, description="Shared memory: where loader processes hand over their batches.")
    scratch_gib: float = Field(4.0, gt=0, description="Disk of one pod: its home with the cache of blobs, and /tmp.")
    gpus: int = Field(0, ge=0, le=16, description="GPUs of one pod; for training, of a full node at most.")
    pods: int = Field(1, ge=1, le=10_000, description="Pods among which the stage's work is dealt out.")
    gang: bool = Field(False, description="Whether the pods work only all together, as the nodes of a training do.")
    deadline_hours: float = Field(1.0, gt=0, description="Hours of running after which the stage is ended.")
    grace_seconds: int = Field(30, ge=1, description="Seconds between SIGTERM and SIGKILL.")
    disruptions: int = Field(3, ge=0, description="How often a pod that lost its place is started again.")
    queue: str | None = Field(None, description="Kueue's LocalQueue; none = no queue.")
    priority: str | None = Field(None, description="PriorityClass; none = the cluster's default.")
    tolerations: tuple[Toleration, ...] = ()
    node_labels: dict[str, str] = Field(default_factory=dict, description="Labels that its nodes must carry.")

    @property
    def all_gpus(self) -> int:
        """GPUs of all pods together."""
        return self.pods * self.gpus


class ResourceTable(Frozen):
    """Preset -> stage -> what it gets; presets that are not named get those of `default`."""

    default: dict[str, StageResources]
    presets: dict[str, dict[str, StageResources]] = Field(default_factory=dict)

    def row(self, preset: str, stage: str) -> StageResources:
        """What a stage gets under a preset."""
        rows = {**self.default, **self.presets.get(Path(preset).stem, {})}
        if stage not in rows:
            raise UsageError(f"The table of resources has no row for the stage {stage}: it has {', '.join(rows)}.")
        return rows[stage]


@cache
def read_table(path: Path = TABLE) -> ResourceTable:
    """The table in a YAML file; a `UsageError` names the file and what is wrong in it."""
    from tasks.explain import explain

    values = read_keys(path, "The table of resources", "default: {...}")
    values.pop("anchors", None)
    try:
        return ResourceTable.model_validate(values)
    except ValidationError as error:
        raise UsageError(explain(error, str(path), ResourceTable)) from error


def for_spec(row: StageResources, spec: StageSpec) -> StageResources:
    """The row as this very work needs it: as many nodes as its ranks fill, no more pods than it has shards."""
    from tasks.collect.spec import CollectSpec
    from tasks.train.spec import TrainSpec

    if isinstance(spec, TrainSpec):
        return row.model_copy(update=nodes_for(spec.ranks, row.gpus))
    if isinstance(spec, CollectSpec) and row.pods > 1:
        from tasks.collect.schedule import shards_of

        return row.model_copy(update={"pods": min(row.pods, len(shards_of(spec.plan, spec.seed)))})
    return row


def nodes_for(ranks: int, gpus: int) -> Mapping[str, int | bool]:
    """Pods of a training, each with equally many ranks and a GPU for each of them; on CPUs one pod holds them all."""
    if gpus == 0:
        return {"pods": 1, "gang": False}
    each = min(ranks, gpus)
    if ranks % each:
        raise UsageError(
            f"training.ranks {ranks} does not fill nodes of {each} GPUs evenly: make it a multiple of {each}."
        )
    return {"pods": ranks // each, "gpus": each, "gang": ranks > each}
