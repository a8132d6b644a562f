"""Golden files: what a renderer must write, which the real program accepts too."""

import os
from pathlib import Path

DIRECTORY = Path(__file__).parent / "golden"


def assert_golden(name: str, actual: str) -> None:
    """*actual* is the golden file's text. With ``UPDATE_GOLDENS=1`` the file becomes *actual* instead."""
    path = DIRECTORY / name
    if os.environ.get("UPDATE_GOLDENS"):
        path.write_text(actual)
    assert actual == path.read_text(), (
        f"{path} differs: see it, then UPDATE_GOLDENS=1 if it is right"
    )
