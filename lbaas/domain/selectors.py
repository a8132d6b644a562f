"""Label selectors: ``env=prod,tier!=web,app,!canary``, all of which must hold."""

import re
from dataclasses import dataclass
from enum import Enum

KEY = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?"
VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?"
REQUIREMENT = re.compile(rf"(?P<no>!)?(?P<key>{KEY})(?:(?P<operator>==?|!=)(?P<value>{VALUE}))?")
MAX_REQUIREMENTS = 16


class Wants(Enum):
    """What is asked of one label."""

    IS = "="
    IS_NOT = "!="  # also of an object without the label
    THERE = "there"
    NOT_THERE = "not there"


@dataclass(frozen=True)
class Requirement:
    """One part of a selector; *value* is empty where the test has none."""

    key: str
    wants: Wants
    value: str = ""


def parse(text: str) -> tuple[Requirement, ...]:
    """The parts of the selector. Raises ValueError that says which part is wrong."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MAX_REQUIREMENTS:
        raise ValueError(f"more than {MAX_REQUIREMENTS} requirements")
    return tuple(_requirement(part) for part in parts)


def _requirement(part: str) -> Requirement:
    match = REQUIREMENT.fullmatch(part)
    if match is None or (match["no"] and match["operator"]):
        raise ValueError(f"{part!r} is none of key=value, key!=value, key, !key")
    if match["operator"] is None:
        return Requirement(match["key"], Wants.NOT_THERE if match["no"] else Wants.THERE)
    wants = Wants.IS_NOT if match["operator"] == "!=" else Wants.IS
    return Requirement(match["key"], wants, match["value"])
