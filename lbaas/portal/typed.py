"""What people type, as the API has it.

Text that should be a number and is none goes to the API as it is, so that the API says what is wrong with it.
"""

import re
from typing import Any

Json = dict[str, Any]


def number(text: str) -> int | float | str:
    """The number that *text* is; else *text*."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def number_or_none(text: str) -> int | float | str | None:
    """None for an empty field."""
    return number(text) if text else None


def spans(text: str) -> list[Json]:
    """Ports as the API has them: ``80, 8000-8099`` is two ranges."""
    found = []
    for part in words(re.sub(r"\s*[-\u2013]\s*", "-", text)):  # people paste en dashes
        first, dash, last = part.partition("-")
        found.append({"first": number(first), **({"last": number(last)} if dash else {})})
    return found


def ports(text: str) -> Json:
    """The fields of a listener that say which ports it has; ``all`` is all of them."""
    return {"all_ports": True} if text == "all" else {"ports": spans(text)}


def words(text: str) -> list[str]:
    """What stands between commas or spaces."""
    return [word for word in re.split(r"[,\s]+", text) if word]


def labels(text: str) -> dict[str, str]:
    """``env=prod, canary`` as the API has it."""
    pairs = (part.partition("=") for part in re.split(r"[,\n]+", text) if part.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}
