"""The loop: read both sides, do what two readings agree on, say what was done, sleep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.launch.cluster_api import CONFIG_MAPS
from flows.launch.cluster_record import Record
from flows.launch.kubernetes import KubernetesLauncher
from flows.reconcile.decide import Act, Reading, Step, decide
from flows.reconcile.sides import Cluster, Prefect, owners
from tasks.errors import BacksightError


@dataclass
class Reconciler:
    """Both sides, and the reading before."""

    prefect: Prefect
    cluster: Cluster
    launcher: KubernetesLauncher
    """Ends stages as a flow run would: with a note of how they ended."""
    say: Callable[[str], None] = print
    clock: Callable[[], float] = time.time
    before: Reading | None = None
    ending: dict[str, threading.Thread] = field(default_factory=dict)
    """Stages that are being ended; they may take two minutes to save their work, and nothing waits for them."""

    def turn(self) -> list[Step]:
        """One reading, and what follows from it; what was done. A side that does not answer decides nothing."""
        try:
            now = self.read()
        except BacksightError as error:
            self.before = None
            self.say(f"nothing is decided: {error}")
            return []
        done = [step for step in decide(self.before, now) if self._carry_out(step)]
        self.before = now
        return done

    def read(self) -> Reading:
        """Both sides. The cluster first: a run that begins meanwhile has no Job then, but is too young to matter."""
        flow_jobs, stage_jobs = self.cluster.flow_jobs(), self.cluster.stage_jobs()
        runs = {run.id: run for run in self.prefect.unfinished()}
        missing = owners(flow_jobs, stage_jobs) - runs.keys()
        runs |= {run.id: run for run in self.prefect.named(missing)}
        return Reading(self.clock(), runs, tuple(flow_jobs), tuple(stage_jobs))

    def _carry_out(self, step: Step) -> bool:
        try:
            match step.act:
                case Act.END_RUN:
                    self.cluster.end_run(step.target)
                case Act.END_STAGE:
                    self._end_stage(step.target)
                case Act.FORGET:
                    self.cluster.forget(step.target)
                case _:
                    self.prefect.set_state(step.target, step.act, step.reason)
        except BacksightError as error:
            self.say(f"{step.act} {step.target} could not be done: {error}")
            return False
        self.say(f"{step.act} {step.target}: {step.reason}")
        return True

    def _end_stage(self, name: str) -> None:
        if name in self.ending and self.ending[name].is_alive():
            return
        found = self.cluster.tasks.get(CONFIG_MAPS, name)
        if found is not None:
            thread = threading.Thread(target=self._cancel, args=(Record(found),), daemon=True)
            self.ending[name] = thread
            thread.start()

    def _cancel(self, record: Record) -> None:
        try:
            self.launcher.cancel(record.handle)
        except BacksightError as error:
            self.say(f"{record.name} could not be ended: {error}")
