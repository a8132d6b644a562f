"""The include file, written and loaded."""

from collections.abc import Sequence
from pathlib import Path

from lbaas.dataplane.bird.control import BirdControl, BirdRefused, BirdUnavailable
from lbaas.dataplane.bird.plan import Configure
from lbaas.dataplane.files import write_atomically
from lbaas.dataplane.steps import Outcome
from lbaas.errors import StepFailed


def apply(control: Path, include: Path, steps: Sequence[Configure]) -> Outcome[Configure]:
    """Each step's text is in the file and in BIRD; a text that BIRD refuses is taken back out."""
    applied: list[Configure] = []
    failed: list[tuple[Configure, StepFailed]] = []
    for step in steps:
        try:
            _configure(control, include, step.text)
        except (BirdRefused, BirdUnavailable, OSError) as error:
            failed.append((step, StepFailed("bird", "Configure", step.key, str(error))))
        else:
            applied.append(step)
    return Outcome(tuple(applied), tuple(failed))


def _configure(control: Path, include: Path, text: str) -> None:
    """Also right where BIRD is down: it reads the file when it starts."""
    before = include.read_text() if include.exists() else None
    # The file may hold passwords.
    write_atomically(include, text.encode(), mode=0o640)
    with BirdControl(control) as bird:
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
