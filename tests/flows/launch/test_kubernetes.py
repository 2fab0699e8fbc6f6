"""The Kubernetes launcher beyond the contract: what it makes of a cluster's refusals, losses and silences."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.launch import Cause, Job, JobState, LogLine, Notice, Progress, Report
from flows.launch import cluster_diagnosis as diagnosis
from flows.launch.cluster_api import ClusterApi, Refused, Unreachable
from flows.launch.kubeconfig import connection
from flows.launch.kubernetes import KubernetesLauncher
from flows.launch.manifests import Place
from flows.launch.resources import StageResources
from tasks.collect.spec import CollectSpec
from tasks.errors import BacksightError, UsageError
from tasks.spec import HOUSE, Outcome, StageResult
from tests.cluster.small_cluster import SmallCluster
from tests.flows.launch.benches import SMALL, ClusterBench, act, ran
from tests.local_stack import wait_for

SLEEPS = "import time; print('ready', flush=True); time.sleep(30)"


@pytest.fixture
def bench(cluster: SmallCluster) -> Iterator[ClusterBench]:
    bench = ClusterBench(cluster)
    yield bench
    wait_for(lambda: not bench.left(), 5)  # pods of a Job that was deleted go with the next round of collection


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster's obstacles are told and given up within a second."""
    monkeypatch.setattr(diagnosis, "SOON", 0.0)
    monkeypatch.setattr(diagnosis, "PULL_PATIENCE", 0.3)
    monkeypatch.setattr(diagnosis, "LOST_PATIENCE", 0.0)


def shaped(**changed: Any) -> StageResources:
    return SMALL.model_copy(update=changed)


def notices(reports: list[Report]) -> list[str]:
    return [r.sentence for r in reports if isinstance(r, Notice)]


def test_an_image_that_cannot_be_pulled(bench: ClusterBench, hasty: None) -> None:
    launcher = bench.launcher(place=Place(images={"trainer": "registry.example/missing:1"}))
    reports, ending = ran(launcher, act("answer()"))
    assert (ending.state, ending.cause) == (JobState.FAILED, Cause.IMAGE)
    assert ending.diagnosis is not None and "registry.example/missing:1" in ending.diagnosis
    assert notices(reports) == [ending.diagnosis]


def test_no_node_has_a_gpu(bench: ClusterBench, hasty: None) -> None:
    reports, ending = ran(bench.launcher(patience=0.5), act("answer()", resources=shaped(gpus=2)))
    assert (ending.state, ending.cause) == (JobState.FAILED, Cause.UNSCHEDULABLE)
    assert (
        ending.diagnosis is not None
        and "2 GPUs" in ending.diagnosis
        and "Insufficient nvidia.com/gpu" in ending.diagnosis
    )
    assert notices(reports) == [ending.diagnosis]


def test_a_full_cluster_is_waited_for(bench: ClusterBench, hasty: None) -> None:
    launcher = bench.launcher()
    handle = launcher.start(act("print('at last'); answer()", resources=shaped(gpus=1)))
    reports = launcher.follow(handle)
    assert isinstance(next(reports), Notice)
    bench.cluster.node.gpus = 1
    assert list(reports) == [LogLine("at last")]
    ending = launcher.ending(handle)
    assert ending is not None and ending.state is JobState.SUCCEEDED


def test_a_share_may_wait_longer_than_patience_for_the_place_of_another(bench: ClusterBench, hasty: None) -> None:
    bench.cluster.node.gpus = 1
    asked = act("import time; time.sleep(1.5); answer()", resources=shaped(gpus=1, pods=2))
    reports, ending = ran(bench.launcher(patience=0.5), asked)
    assert ending.state is JobState.SUCCEEDED and "Insufficient nvidia.com/gpu" in notices(reports)[0]


def test_a_used_up_quota_of_pods(bench: ClusterBench, hasty: None) -> None:
    bench.cluster.controllers.quota = 'pods "x" is forbidden: exceeded quota: night, requested: cpu=1, limited: cpu=0'
    reports, ending = ran(bench.launcher(patience=0.4), act("answer()"))
    assert (ending.state, ending.cause) == (JobState.FAILED, Cause.QUOTA)
    assert "exceeded quota: night" in notices(reports)[0]


def test_a_used_up_quota_of_jobs_leaves_nothing(bench: ClusterBench) -> None:
    bench.cluster.deny(
        "POST", "jobs", 403, "Forbidden", "jobs is forbidden: exceeded quota: night, limited: count/jobs=0"
    )
    with pytest.raises(Refused, match=r"The quota of namespace backsight-tasks is used up"):
        bench.launcher().start(act("answer()"))
    assert bench.launcher().attach("act-1") is None


def test_no_permission_in_the_namespace(bench: ClusterBench) -> None:
    said = 'jobs.batch is forbidden: User "system:serviceaccount:a:b" cannot create resource "jobs"'
    bench.cluster.deny("POST", "jobs", 403, "Forbidden", said)
    with pytest.raises(
        Refused, match=r"The cluster does not permit POST backsight-tasks/jobs: jobs\.batch is forbidden"
    ):
        bench.launcher().start(act("answer()"))
    assert bench.cluster.api.all("configmaps") == []


def test_a_webhook_that_nobody_serves_is_not_a_silent_api(bench: ClusterBench) -> None:
    """JobSet or Kueue applied, its controller not running: the API itself answers 500."""
    said = 'failed calling webhook "mjobset.kb.io": no endpoints available for service "jobset-webhook-service"'
    bench.cluster.deny("POST", "jobs", 500, "InternalError", said)
    with pytest.raises(Refused, match=r"does not answer \(failed calling .*mjobset.*\): start the controller"):
        bench.launcher().start(act("answer()"))
    assert bench.cluster.api.all("configmaps") == []


def test_unknown_credentials(bench: ClusterBench) -> None:
    bench.cluster.deny("GET", "configmaps", 401, "Unauthorized", "Unauthorized")
    with pytest.raises(Refused, match="renew the credentials in the test's cluster"):
        bench.launcher().start(act("answer()"))


def test_a_missing_secret(bench: ClusterBench, hasty: None) -> None:
    bench.cluster.api.remove("secrets", "backsight-s3")
    _, ending = ran(bench.launcher(), act("answer()"))
    assert ending.cause is Cause.REFUSED
    assert ending.diagnosis is not None and 'secret "backsight-s3" not found' in ending.diagnosis


def test_a_cluster_on_this_machine_is_not_asked_through_a_proxy(
    bench: ClusterBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kubectl passes a proxy by for 127.0.0.1, where kind's API is; so must we."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert bench.launcher().attach("act-1") is None


def test_a_kubeconfig_that_points_nowhere(tmp_path: Path) -> None:
    nowhere = tmp_path / "config"
    nowhere.write_text(
        "current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\n"
        "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:9'}}]\n"
    )
    began = time.monotonic()
    launcher = KubernetesLauncher(ClusterApi(connection({"KUBECONFIG": str(nowhere)}), "n", patience=0.01), Place())
    with pytest.raises(Unreachable, match=r"http://127.0.0.1:9 does not answer .*config"):
        launcher.start(act("answer()"))
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "is no YAML"),
        ("- 1", "holds no keys"),
        ("a: 1", "names no current-context"),
        ("current-context: c", "no entry 'c' among its contexts"),
    ],
)
def test_a_broken_kubeconfig(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(UsageError, match=said):
        connection({"KUBECONFIG": str(tmp_path / "config")})


def test_an_eviction_costs_a_restart_and_too_many_end_the_job(bench: ClusterBench) -> None:
    launcher = bench.launcher()
    handle = launcher.start(act(SLEEPS, resources=shaped(disruptions=1)))
    lines = (r for r in launcher.follow(handle) if isinstance(r, LogLine))
    for attempt in range(2):
        assert next(lines) == LogLine("ready")
        bench.cluster.disrupt(f"act-1-1-{attempt}", "TerminationByKubelet", "The node was low on resource: memory.")
    assert list(lines) == []
    ending = launcher.ending(handle)
    assert ending is not None and (ending.state, ending.cause) == (JobState.FAILED, Cause.EVICTED)
    assert ending.diagnosis is not None and "low on resource: memory" in ending.diagnosis


def test_a_lost_node_is_named_and_its_pod_given_up(bench: ClusterBench, hasty: None) -> None:
    launcher = bench.launcher()
    handle = launcher.start(act(SLEEPS))
    lines = launcher.follow(handle)
    assert next(r for r in lines if isinstance(r, LogLine)) == LogLine("ready")
    bench.cluster.node.lost = bench.cluster.api.emulator.node_lost = True
    pod = "act-1-1-0"
    bench.cluster.api.condition("pods", pod, "DisruptionTarget", "DeletionByTaintManager", "taint unreachable")
    bench.cluster.api.change("pods", pod, {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    told = next(r for r in lines if isinstance(r, Notice))
    assert "node-1" in told.sentence and "stopped answering" in told.sentence
    bench.cluster.node.lost = False
    assert list(lines) == []
    ending = launcher.ending(handle)
    assert ending is not None and (ending.state, ending.cause) == (JobState.FAILED, Cause.NODE_LOST)


def test_a_stage_that_is_dealt_out(bench: ClusterBench) -> None:
    script = (
        "import os; i, n = int(os.environ['JOB_COMPLETION_INDEX']), int(os.environ['BACKSIGHT_SHARES']); "
        "progress(i + 1, 4); print(f'share {i} of {n}'); i == 2 and answer()"
    )
    reports, ending = ran(bench.launcher(), act(script, resources=shaped(pods=3)))
    assert ending.state is JobState.SUCCEEDED
    assert {r.text for r in reports if isinstance(r, LogLine)} == {f"[{i}] share {i} of 3" for i in range(3)}
    last = [r for r in reports if isinstance(r, Progress)][-1]
    assert (last.done, last.total, last.detail["pods"]) == (6, 12, "3 of 3")


@pytest.mark.parametrize("jobset", ["auto", "never"])
def test_a_training_over_nodes_meets_at_its_first_pod(bench: ClusterBench, jobset: str) -> None:
    script = (
        "import os; e = os.environ; print(e['MASTER_ADDR'], e['MASTER_PORT'], e['BACKSIGHT_NODES']); "
        "e['JOB_COMPLETION_INDEX'] == '0' and answer()"
    )
    _, ending = ran(bench.launcher(jobset=jobset), act(script, resources=shaped(pods=2, gang=True)))
    assert ending.state is JobState.SUCCEEDED
    meeting = "act-1-1-node-0-0.act-1-1" if jobset == "auto" else "act-1-1-0.act-1-1"
    lines = [text for log in bench.cluster.api.emulator.logs.values() for _, text in log]
    assert lines.count(f"{meeting} 29500 2") == 2
    assert len(bench.cluster.api.all("services")) == (jobset == "never")


def test_a_preempted_training_starts_anew_under_its_jobset(bench: ClusterBench) -> None:
    launcher = bench.launcher()
    script = (
        "import os, time; print('ready', flush=True); time.sleep(0.6); "
        "os.environ['JOB_COMPLETION_INDEX'] == '0' and answer()"
    )
    handle = launcher.start(act(script, resources=shaped(pods=2, gang=True)))
    lines = (r for r in launcher.follow(handle) if isinstance(r, LogLine))
    next(lines)
    bench.cluster.disrupt("act-1-1-node-0-1-0", "PreemptionByScheduler", "preempted by a hot pod")
    assert LogLine("[0] ready") in list(lines)
    ending = launcher.ending(handle)
    assert ending is not None and ending.state is JobState.SUCCEEDED
    assert bench.cluster.api.all("jobsets")[0]["status"]["restarts"] == 1


def test_too_many_preemptions_end_a_training(bench: ClusterBench) -> None:
    launcher = bench.launcher()
    handle = launcher.start(act(SLEEPS, resources=shaped(pods=2, gang=True, disruptions=0)))
    lines = (r for r in launcher.follow(handle) if isinstance(r, LogLine))
    next(lines)
    bench.cluster.disrupt("act-1-1-node-0-1-0", "PreemptionByScheduler", "preempted by a hot pod")
    list(lines)
    ending = launcher.ending(handle)
    assert ending is not None and (ending.state, ending.cause) == (JobState.FAILED, Cause.EVICTED)
    assert ending.diagnosis is not None and "preempted by a hot pod" in ending.diagnosis


def test_a_trainings_own_failure_ends_it_at_once(bench: ClusterBench) -> None:
    script = "sys.stderr.write('error: The loss is no number.\\n'); sys.exit(1)"
    _, ending = ran(bench.launcher(), act(script, resources=shaped(pods=2, gang=True, disruptions=5)))
    assert (ending.cause, ending.diagnosis) == (Cause.TASK, "The loss is no number.")
    assert bench.cluster.api.all("jobsets")[0]["status"]["restarts"] == 0


def test_a_trainings_deadline_is_found_in_the_job_within_its_jobset(bench: ClusterBench) -> None:
    asked = act("import time; time.sleep(60)", resources=shaped(pods=2, gang=True), deadline=1.0)
    _, ending = ran(bench.launcher(), asked)
    assert (ending.state, ending.cause) == (JobState.FAILED, Cause.DEADLINE)


def test_jobset_without_its_controller_is_named(bench: ClusterBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.cluster.controllers.jobsets = False
    launcher = bench.launcher()
    ahead = iter([0.0])
    launcher.clock = lambda: time.time() + next(ahead, 30.0)
    handle = launcher.start(act("answer()", resources=shaped(pods=2, gang=True)))
    told = next(launcher.follow(handle))
    assert isinstance(told, Notice) and "install JobSet's controller" in told.sentence
    launcher.cancel(handle)


def test_jobset_is_demanded_but_not_installed(tmp_path: Path) -> None:
    cluster = SmallCluster(tmp_path).start()
    try:
        launcher = ClusterBench(cluster).launcher(jobset="always")
        with pytest.raises(BacksightError, match="JobSet is not installed"):
            launcher.start(act("answer()", resources=shaped(pods=2, gang=True)))
        assert cluster.api.all("configmaps") == []
    finally:
        cluster.stop()


def test_a_job_in_a_queue_says_so_and_is_never_given_up(bench: ClusterBench, hasty: None) -> None:
    launcher = bench.launcher(patience=0.0)
    handle = launcher.start(act("answer()", resources=shaped(queue="train")))
    assert bench.cluster.api.all("jobs")[0]["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "train"
    bench.cluster.api.change("jobs", "act-1-1", {"spec": {"suspend": True}})
    for pod in bench.cluster.api.all("pods"):
        bench.cluster.api.remove("pods", pod["metadata"]["name"])
    conditions = [{"type": "QuotaReserved", "status": "False", "message": "insufficient unused quota for cpu"}]
    owner = {"ownerReferences": [{"name": "act-1-1"}]}
    bench.cluster.api.put("workloads", "w", {"metadata": owner, "status": {"conditions": conditions}})
    reports = launcher.follow(handle)
    told = next(r for r in reports if isinstance(r, Notice))
    assert "queue 'train'" in told.sentence and "insufficient unused quota" in told.sentence
    assert launcher.ending(handle) is None
    launcher.cancel(handle)


def test_the_store_answers_where_the_log_is_gone(bench: ClusterBench) -> None:
    kept = StageResult(stage="act", key="k", outcome=Outcome.SUCCEEDED, metrics={"loss": 0.5})
    _, ending = ran(bench.launcher(known=lambda key: kept), act("print('no result here')"))
    assert ending.state is JobState.SUCCEEDED and ending.result == kept


def test_a_job_that_somebody_deleted(bench: ClusterBench) -> None:
    launcher = bench.launcher()
    handle = launcher.start(act(SLEEPS))
    bench.cluster.api.remove("jobs", "act-1-1")
    launcher.clock = lambda: time.time() + 100
    assert list(launcher.follow(handle)) in ([], [LogLine("ready")])
    ending = launcher.ending(handle)
    assert ending is not None and ending.cause is Cause.KILLED
    assert ending.diagnosis is not None and "somebody deleted it" in ending.diagnosis


def test_a_silent_api_is_not_taken_for_a_dead_job(bench: ClusterBench) -> None:
    launcher = bench.launcher()
    handle = launcher.start(act(SLEEPS))
    bench.cluster.api.emulator.silent = True
    with pytest.raises(Unreachable):
        launcher.ending(handle)
    bench.cluster.api.emulator.silent = False
    assert launcher.ending(handle) is None
    launcher.cancel(handle)


def test_whoever_starts_what_runs_becomes_its_owner(bench: ClusterBench) -> None:
    launcher = bench.launcher()
    first = act(SLEEPS, owner="flow-run-1")
    handle = launcher.start(first)
    launcher.start(act(SLEEPS, owner="flow-run-2"))
    assert bench.cluster.api.all("configmaps")[0]["metadata"]["labels"]["backsight.dev/flow-run"] == "flow-run-2"
    launcher.cancel(handle)


def test_a_secret_among_the_variables_is_refused_and_none_is_in_any_object(bench: ClusterBench) -> None:
    with pytest.raises(UsageError, match="BACKSIGHT_S3_SECRET_KEY looks like a secret"):
        bench.launcher().start(act("answer()", environment={"BACKSIGHT_S3_SECRET_KEY": "x"}))
    script = "import os; assert os.environ['BACKSIGHT_S3_SECRET_KEY'][:6] == 'not to'; answer()"
    _, ending = ran(bench.launcher(), act(script))
    assert ending.state is JobState.SUCCEEDED
    seen = [str(bench.cluster.api.all(kind)) for kind in ("configmaps", "jobs", "pods")]
    assert not any("not to be shown" in text for text in seen)


def test_hundreds_of_pods_are_read_in_turn(bench: ClusterBench) -> None:
    from flows.launch.pod_logs import LOGS_A_LOOK, PodLogs
    from flows.launch.pods import Pod
    from flows.launch.timed_lines import Shares

    pods = [Pod(f"p-{i}", i, "Running", 0.0, running=True) for i in range(100)]
    for pod in pods:
        bench.cluster.api.emulator.logs[pod.name] = [("2026-01-01T00:00:00.000000001Z", f"line of {pod.name}")]
    logs, lines = PodLogs(bench.cluster.client(), Shares(100)), []
    for _ in range(100 // LOGS_A_LOOK):
        before = len(bench.cluster.api.asked("GET", "pods"))
        lines += list(logs.reports(pods))
        assert len(bench.cluster.api.asked("GET", "pods")) - before == LOGS_A_LOOK
    assert sorted(r.text for r in lines if isinstance(r, LogLine)) == sorted(f"[{i}] line of p-{i}" for i in range(100))


def test_s3_that_pods_cannot_reach_is_the_tasks_own_sentence(bench: ClusterBench) -> None:
    keys = {"BACKSIGHT_S3_ENDPOINT": "127.0.0.1:9", "BACKSIGHT_S3_ACCESS_KEY": "a", "BACKSIGHT_S3_SECRET_KEY": "b"}
    bench.cluster.api.put("secrets", "backsight-s3", {"stringData": keys})
    launcher = bench.launcher(command=lambda spec: (sys.executable, "-m", f"tasks.{spec.task}"))
    roomy = shaped(memory_gib=1.0, image="collector")
    asked = Job("collect-1", CollectSpec(), environment={"PYTHONPATH": str(HOUSE)}, resources=roomy)
    began = time.monotonic()
    _, ending = ran(launcher, asked)
    assert (ending.state, ending.cause) == (JobState.FAILED, Cause.TASK)
    assert ending.diagnosis is not None and "The artefact store at 127.0.0.1:9 does not answer" in ending.diagnosis
    assert time.monotonic() - began < 60
