"""Reads the logs of a job's pods, again and again, without a load on the cluster that grows with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flows.launch.cluster_api import ClusterApi
from flows.launch.contract import LogLine, Report
from flows.launch.lines import parse
from flows.launch.manifests import CONTAINER
from flows.launch.pods import Pod
from flows.launch.results import result_line
from flows.launch.timed_lines import Shares, TimedLines

LOGS_A_LOOK = 20
"""Pods whose logs are read in one look, in turn."""
TAIL = 200


@dataclass
class PodLogs:
    """How far this process has read each pod of one attempt."""

    cluster: ClusterApi
    shares: Shares
    read: dict[str, TimedLines] = field(default_factory=dict)
    drained: set[str] = field(default_factory=set)
    """Ended pods that were read to the end."""
    turn: int = 0

    def reports(self, pods: Sequence[Pod], to_the_end: bool = False) -> Iterator[Report]:
        """What is new, of some pods at a time; `to_the_end` = of all."""
        speaking = [pod for pod in pods if pod.has_log and pod.name not in self.drained]
        if not to_the_end and len(speaking) > LOGS_A_LOOK:
            at = self.turn % len(speaking)
            self.turn += LOGS_A_LOOK
            speaking = (speaking[at:] + speaking[:at])[:LOGS_A_LOOK]
        silent: set[str | None] = set()
        for pod in speaking:
            if pod.node in silent:
                continue  # each of its pods would cost the same wait
            lines = self._new_lines(pod)
            if lines is None:
                silent.add(pod.node)
            for line in lines or ():
                yield self._report(pod, line)

    def _new_lines(self, pod: Pod) -> list[str] | None:
        """None where the pod's node does not hand its log out; a later look may find it."""
        lines = self.read.setdefault(pod.name, TimedLines())
        text = self.cluster.logs(pod.name, CONTAINER, lines.since)
        if text is None:
            return None
        if pod.left:
            self.drained.add(pod.name)
        return [line for line in lines.new(text) if result_line(line) is None]

    def _report(self, pod: Pod, line: str) -> Report:
        report = parse(line)
        if isinstance(report, LogLine):
            return LogLine(f"[{pod.index}] {line}" if self.shares.pods > 1 else line)
        return self.shares.merged(pod.index, report)


def last_lines(cluster: ClusterApi, pod: Pod) -> list[str]:
    """The end of a pod's log; where it is gone, what kubelet kept of it."""
    lines = TimedLines().new(cluster.logs(pod.name, CONTAINER, tail=TAIL) or "") if pod.has_log else []
    return lines or (pod.left.message if pod.left else "").splitlines()
