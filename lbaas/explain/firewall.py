"""A hop for rules of others that drop packets of ours."""

from collections.abc import Iterable

from lbaas.explain.hops import Stage
from lbaas.explain.others import Finding, described
from lbaas.wire.explanation import Hop


def firewall(stage: Stage, desired: str, findings: Iterable[Finding], remedy: str) -> Hop:
    """Broken if a rule surely drops, suspect if one may."""
    what, certain = described(findings)
    if not what:
        return stage.ok(desired)
    if certain:
        return stage.broken(desired, what, "a rule of somebody else's drops the packets", remedy)
    cause = "a rule of somebody else's may drop the packets: not all of its conditions can be read"
    return stage.suspect(desired, what, cause, remedy)
