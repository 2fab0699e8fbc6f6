"""Jobs, JobSets and garbage collection for tests, by the rules of the real controllers that launchers rely on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tests.cluster.api_server import ApiServer, now
from tests.cluster.kubelet import FINALIZER

INDEX = "batch.kubernetes.io/job-completion-index"


@dataclass
class Controllers:
    """The controllers of one namespace."""

    api: ApiServer
    jobsets: bool = True
    """Whether JobSet's controller is installed; its API may be served without."""
    quota: str | None = None
    """The message of a quota that lets no further pod be made."""

    def look(self) -> None:
        """One round over everything."""
        self._collect()
        for jobset in self.api.all("jobsets") if self.jobsets else ():
            self._hold_jobset(jobset)
        for job in self.api.all("jobs"):
            if not over(job) and not job["spec"].get("suspend"):
                self._hold_job(job)

    def _collect(self) -> None:
        """What belongs to something that is gone goes too."""
        alive = {o["metadata"]["uid"] for plural in ("configmaps", "jobs", "jobsets") for o in self.api.all(plural)}
        for plural in ("jobsets", "jobs", "services", "pods"):
            for found in self.api.all(plural):
                owners = found["metadata"].get("ownerReferences") or []
                if owners and not any(o["uid"] in alive for o in owners):
                    self._delete(plural, found)

    def _delete(self, plural: str, found: dict[str, Any]) -> None:
        name = found["metadata"]["name"]
        if plural == "pods":
            self.api.change("pods", name, {"metadata": {"deletionTimestamp": now()}})
        else:
            self.api.remove(plural, name)

    def _hold_job(self, job: dict[str, Any]) -> None:
        spec, name = job["spec"], job["metadata"]["name"]
        if not (job.get("status") or {}).get("startTime"):
            self.api.change("jobs", name, {"status": {"startTime": now(), "began": time.time()}})
            job = self.api.one("jobs", name) or job
        pods = [p for p in self.api.all("pods") if owned(p, job)]
        if time.time() > job["status"]["began"] + spec["activeDeadlineSeconds"]:
            self._fail(job, pods, "DeadlineExceeded", "Job was active longer than specified deadline")
            return
        if verdict := verdict_on(spec, pods):
            self._fail(job, pods, *verdict)
            return
        done = {index_of(p) for p in pods if p["status"]["phase"] == "Succeeded"}
        if len(done) >= spec["completions"]:
            self.api.change("jobs", name, {"status": {"completionTime": now()}})
            self.api.condition("jobs", name, "Complete", "CompletionsReached")
            return
        busy = {index_of(p) for p in pods if p["status"]["phase"] in ("Pending", "Running")}
        for index in range(spec["completions"]):
            if index not in done | busy:
                self._make_pod(job, index, sum(index_of(p) == index for p in pods))

    def _make_pod(self, job: dict[str, Any], index: int, tries: int) -> None:
        name, template = job["metadata"]["name"], job["spec"]["template"]
        if self.quota:
            self.api.warn(name, "FailedCreate", self.quota)
            return
        indexed = job["spec"].get("completionMode") == "Indexed"
        labels = {**template["metadata"]["labels"], **({INDEX: str(index)} if indexed else {})}
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": job["metadata"]["uid"]}
        meta = {"labels": labels, "ownerReferences": [owner], "finalizers": [FINALIZER]}
        body = {"metadata": meta, "spec": template["spec"], "status": {"phase": "Pending"}}
        self.api.put("pods", f"{name}-{index}-{tries}" if indexed else f"{name}-{tries}", body)

    def _fail(self, job: dict[str, Any], pods: list[dict[str, Any]], reason: str, message: str) -> None:
        for pod in pods:
            if pod["status"]["phase"] in ("Pending", "Running"):
                self._delete("pods", pod)
        self.api.condition("jobs", job["metadata"]["name"], "Failed", reason, message)

    def _hold_jobset(self, jobset: dict[str, Any]) -> None:
        meta, spec = jobset["metadata"], jobset["spec"]
        if over(jobset) or spec.get("suspend"):
            return
        restarts = (jobset.get("status") or {}).get("restarts", 0)
        self.api.change("jobsets", meta["name"], {"status": {"restarts": restarts}})
        template = spec["replicatedJobs"][0]
        name = f"{meta['name']}-{template['name']}-0"
        job = self.api.one("jobs", name)
        if job is None:
            owner = {"apiVersion": "x", "kind": "JobSet", "name": meta["name"], "uid": meta["uid"]}
            made = {**template["template"]["metadata"], "ownerReferences": [owner]}
            self.api.put("jobs", name, {"metadata": made, "spec": template["template"]["spec"]})
            return
        ended = {c["type"]: c for c in (job.get("status") or {}).get("conditions") or []}
        if "Complete" in ended:
            self.api.condition("jobsets", meta["name"], "Completed", "AllJobsCompleted")
        elif "Failed" in ended:
            self._after_failure(jobset, name, ended["Failed"]["reason"], restarts)

    def _after_failure(self, jobset: dict[str, Any], job: str, reason: str, restarts: int) -> None:
        """The first rule for the reason decides; the JobSet names the Job that failed, and not why it did."""
        policy, name = jobset["spec"]["failurePolicy"], jobset["metadata"]["name"]
        rules = (r for r in policy["rules"] if reason in (r.get("onJobFailureReasons") or [reason]))
        action = next((rule["action"] for rule in rules), "RestartJobSet")
        if action == "RestartJobSet" and restarts < policy["maxRestarts"]:
            self.api.change("jobsets", name, {"status": {"restarts": restarts + 1}})
            self.api.remove("jobs", job)
            return
        said = "FailJobSetFailurePolicyAction" if action == "FailJobSet" else "ReachedMaxRestarts"
        self.api.condition("jobsets", name, "Failed", said, f"jobset failed (first failed job: {job})")


def over(found: dict[str, Any]) -> bool:
    """Whether a Job or JobSet has ended."""
    conditions = (found.get("status") or {}).get("conditions") or []
    return any(c["type"] in ("Complete", "Completed", "Failed") and c["status"] == "True" for c in conditions)


def owned(pod: dict[str, Any], job: dict[str, Any]) -> bool:
    """Whether a pod is a Job's."""
    return any(o["uid"] == job["metadata"]["uid"] for o in pod["metadata"].get("ownerReferences") or [])


def index_of(pod: dict[str, Any]) -> int:
    """Its index within an Indexed Job."""
    return int(pod["metadata"]["labels"].get(INDEX, 0))


def verdict_on(spec: dict[str, Any], pods: list[dict[str, Any]]) -> tuple[str, str] | None:
    """Reason and message where the failed pods end the Job."""
    failed = [p for p in pods if p["status"]["phase"] == "Failed"]
    for pod in failed:
        if action_on(spec["podFailurePolicy"]["rules"], pod) == "FailJob":
            return "PodFailurePolicy", f"Container task of pod {pod['metadata']['name']} matched a FailJob rule"
    if "backoffLimitPerIndex" in spec:
        counts = {index_of(p): sum(index_of(q) == index_of(p) for q in failed) for p in failed}
        if any(count > spec["backoffLimitPerIndex"] for count in counts.values()):
            return "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
        return None
    if len(failed) > spec["backoffLimit"]:
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    return None


def action_on(rules: list[dict[str, Any]], pod: dict[str, Any]) -> str:
    """The first rule that matches decides; `Count` where none does."""
    conditions = {(c["type"], c["status"]) for c in pod["status"].get("conditions") or []}
    statuses = pod["status"].get("containerStatuses") or []
    codes = [s["state"]["terminated"]["exitCode"] for s in statuses if "terminated" in s["state"]]
    for rule in rules:
        if any((c["type"], c["status"]) in conditions for c in rule.get("onPodConditions", [])):
            return str(rule["action"])
        if (on := rule.get("onExitCodes")) and any(_matches(on, code) for code in codes):
            return str(rule["action"])
    return "Count"


def _matches(on: dict[str, Any], code: int) -> bool:
    return code != 0 and ((code in on["values"]) == (on["operator"] == "In"))
