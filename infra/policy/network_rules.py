"""Rules on traffic between pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infra.policy.cluster_rules import meets
from infra.policy.manifests import Manifest, instance_labels, pods, title

Fronted = tuple[str, str, Mapping[str, str], list[Mapping[str, str]]]
"""Namespace, name and selector of a Service, labels of the pods behind it."""


def services_reached(manifests: list[Manifest]) -> Iterator[str]:
    """A policy that lets traffic out to pods lets it out to the Services before them.

    Some walls (the network policies of EKS's own CNI) see a Service's address, not a pod's: they open it where the
    Service's selector, taken as labels, meets the policy's.
    """
    services = [*of_manifests(manifests), *of_databases(manifests)]
    for policy in manifests:
        rules = policy["spec"].get("egress", []) if policy["kind"] == "NetworkPolicy" else []
        for peer in (peer for rule in rules for peer in rule.get("to", [])):
            for name in unmet(peer, policy, services):
                yield f"{title(policy)}: lets out to the pods of Service {name}, whose selector does not meet its own"


def unmet(peer: Mapping[str, Any], policy: Manifest, services: list[Fronted]) -> Iterator[str]:
    """Names of the Services behind which a peer's pods stand, and which it does not name itself."""
    wanted, places = peer.get("podSelector", {}), namespaces(peer, policy)
    for namespace, name, selector, behind in services:
        if namespace in places and any(meets(wanted, labels) for labels in behind) and not meets(wanted, selector):
            yield name


def of_manifests(manifests: list[Manifest]) -> Iterator[Fronted]:
    """The Services that stand in the manifests."""
    groups = list(pods(manifests))
    for service in manifests:
        selector = service.get("spec", {}).get("selector")
        if service["kind"] == "Service" and selector and service["spec"].get("clusterIP") != "None":
            namespace = str(service["metadata"].get("namespace"))
            here = [g.labels for g in groups if g.namespace == namespace and meets({"matchLabels": selector}, g.labels)]
            yield namespace, service["metadata"]["name"], selector, list(here)


def of_databases(manifests: list[Manifest]) -> Iterator[Fronted]:
    """The Services that CloudNativePG makes before its instances."""
    for cluster in manifests:
        if cluster["kind"] == "Cluster":
            named = cluster["metadata"]
            primary = {**instance_labels(cluster), "cnpg.io/instanceRole": "primary"}
            inherited = cluster["spec"].get("inheritedMetadata", {}).get("labels", {})
            yield str(named["namespace"]), f"{named['name']}-rw", primary, [{**primary, **inherited}]


def namespaces(peer: Mapping[str, Any], policy: Manifest) -> set[str]:
    """Where the peer's pods live; addresses live nowhere."""
    if "ipBlock" in peer:
        return set()
    named = peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
    return {str(named or policy["metadata"].get("namespace"))}
