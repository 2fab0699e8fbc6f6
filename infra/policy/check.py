"""The rules by name, and what some manifests break of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from infra.policy import cluster_rules, network_rules, pod_rules
from infra.policy.manifests import Manifest
from infra.policy.validity import invalid

Rule = Callable[[list[Manifest]], Iterator[str]]

RULES: dict[str, Rule] = {
    "no-latest": pod_rules.no_latest,
    "no-bitnami": pod_rules.no_bitnami,
    "unprivileged": pod_rules.unprivileged,
    "restricted": pod_rules.restricted,
    "bounded": pod_rules.bounded,
    "probed": pod_rules.probed,
    "ending": pod_rules.ending,
    "no-literal-secrets": pod_rules.no_literal_secrets,
    "unique-names": pod_rules.unique_names,
    "least-rights": cluster_rules.least_rights,
    "no-idle-tokens": cluster_rules.no_idle_tokens,
    "walled": cluster_rules.walled,
    "placed": cluster_rules.placed,
    "closed-services": cluster_rules.closed_services,
    "services-reached": network_rules.services_reached,
    "selectors-meet": cluster_rules.selectors_meet,
    "known-names": cluster_rules.known_names,
}
PRODUCTION: dict[str, Rule] = {"by-digest": pod_rules.by_digest}
"""Rules beyond those, for what real work depends on."""


def broken(manifests: list[Manifest], production: bool) -> list[str]:
    """`rule: sentence` for everything that is wrong. Invalid manifests are not looked at further."""
    problems = [f"valid: {sentence}" for manifest in manifests for sentence in invalid(manifest)]
    if problems:
        return problems
    rules = {**RULES, **(PRODUCTION if production else {})}
    return [f"{name}: {sentence}" for name, rule in rules.items() for sentence in rule(manifests)]
