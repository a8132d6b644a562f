"""The include file, written and loaded."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from lbaas.dataplane.bird.control import BirdControl, BirdRefused, BirdUnavailable
from lbaas.dataplane.bird.plan import Configure
from lbaas.dataplane.files import write_atomically
from lbaas.dataplane.steps import Outcome, try_each


def apply(control: Path, include: Path, steps: Sequence[Configure]) -> Outcome[Configure]:
    """Each step's text is in the file and in BIRD; a text that BIRD refuses is taken back out."""
    return try_each(
        "bird",
        steps,
        lambda step: _configure(control, include, step.text),
        (BirdRefused, BirdUnavailable, OSError),
    )


def _configure(control: Path, include: Path, text: str) -> None:
    """Also right where BIRD is down: it reads the file when it starts."""
    before = include.read_text() if include.exists() else None
    # The file may hold passwords.
    write_atomically(include, text.encode(), mode=0o640)
    with closing(BirdControl(control)) as bird:
        try:
            bird.command("configure check")
        except BirdRefused:
            _restore(include, before)
            raise
        bird.command("configure")


def _restore(include: Path, text: str | None) -> None:
    if text is None:
        include.unlink()
    else:
        write_atomically(include, text.encode(), mode=0o640)
