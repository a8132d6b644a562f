"""What the shipped manifests let the controller do, as the API server of the tests asks it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # ships no type information

from tests.kube_api.server import Authorizer

MANIFEST = Path(__file__).parents[2] / "deploy/kubernetes/rbac.yaml"

# The bearer of this token is the controller; whoever has another may do anything.
CONTROLLER = "controller"


@dataclass(frozen=True)
class Grant:
    """A verb on a resource; *name* is the only object that it is for, if any."""

    verb: str
    resource: str
    group: str = ""
    name: str = ""


def granted() -> frozenset[Grant]:
    """All that rbac.yaml grants."""
    documents = list(yaml.safe_load_all(MANIFEST.read_text()))
    rules = [rule for document in documents for rule in document.get("rules", ())]
    return frozenset(grant for rule in rules for grant in _of(rule))


def _of(rule: dict[str, Any]) -> Iterator[Grant]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames", [""]):
                    yield Grant(verb, resource, group, name)


def shipped() -> Authorizer:
    """The controller may do what rbac.yaml grants, and nothing else."""
    grants = granted()

    def authorize(bearer: str | None, group: str, resource: str, verb: str, name: str) -> bool:
        asked = {Grant(verb, resource, group), Grant(verb, resource, group, name)}
        return bearer != CONTROLLER or not grants.isdisjoint(asked)

    return authorize
