"""What the shipped manifests let the controller do, as the API server of the tests asks it."""

from pathlib import Path

import yaml  # type: ignore[import-untyped]  # ships no type information

from tests.kube_api.server import Authorizer

MANIFEST = Path(__file__).parents[2] / "deploy/kubernetes/rbac.yaml"

# The bearer of this token is the controller; whoever has another may do anything.
CONTROLLER = "controller"


def shipped() -> Authorizer:
    """The controller may do what rbac.yaml allows, and nothing else."""
    documents = list(yaml.safe_load_all(MANIFEST.read_text()))
    allowed = {
        (group, resource, verb)
        for document in documents
        for rule in document.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }

    def authorize(bearer: str | None, group: str, resource: str, verb: str) -> bool:
        return bearer != CONTROLLER or (group, resource, verb) in allowed

    return authorize
