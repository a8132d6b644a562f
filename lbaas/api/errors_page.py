"""``python -m lbaas.api.errors_page`` writes docs/errors.md, from the error tree and what it says of itself."""

import inspect
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from lbaas.api import problems

HEAD = """# Errors

Every answer of 400 or above is a problem (RFC 9457, `application/problem+json`): a stable `type`, a `title`,
the `status`, a `detail` for a person, and where fields or parameters are to blame, `problems`: each with a
JSON pointer into the body, or the parameter's name, and what is wrong. A client decides by `type`; titles
and details may be reworded.

This page is made from the code: `python -m lbaas.api.errors_page`.

| type | status | what it means |
|---|---|---|
"""


def render() -> str:
    """The page as it is committed: a row for each type, by status."""
    rows = sorted(_rows(), key=lambda row: (row[1], row[0]))
    return HEAD + "".join(f"| `{kind}` | {status} | {text} |\n" for kind, status, text in rows)


def _rows() -> Iterator[tuple[str, HTTPStatus, str]]:
    for error, kind in problems.KINDS.items():
        yield problems.uri(error), kind.status, _line(inspect.getdoc(error) or "")
    for uri, (status, text) in problems.OTHER_TYPES.items():
        yield uri, status, _line(text)


def _line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


if __name__ == "__main__":
    Path("docs/errors.md").write_text(render())
