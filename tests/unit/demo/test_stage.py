"""Steps become lines."""

import re
from io import StringIO

import pytest
from rich.console import Console

from lbaas.demo.stage import Stage


@pytest.fixture
def paper() -> StringIO:
    return StringIO()


@pytest.fixture
def stage(paper: StringIO) -> Stage:
    return Stage(Console(file=paper, width=80, highlight=False, markup=False, emoji=False))


def lines(paper: StringIO) -> list[str]:
    """What was written, but for the seconds."""
    return [re.sub(r"\d+\.\d s", "N s", line) for line in paper.getvalue().splitlines()]


def test_a_step_is_one_line_when_the_next_begins(stage: Stage, paper: StringIO) -> None:
    stage.step("boil water")
    assert lines(paper) == []
    stage.step("brew tea")
    assert lines(paper) == ["   done   N s  boil water"]


def test_a_picture_ends_the_step_that_it_came_of(stage: Stage, paper: StringIO) -> None:
    stage.step("brew tea")
    stage.show("a cup")
    stage.done()
    assert lines(paper) == ["   done   N s  brew tea", "a cup", ""]


def test_the_last_step_is_done_when_the_stage_is_left(stage: Stage, paper: StringIO) -> None:
    with stage:
        stage.step("drink")
    assert lines(paper) == ["   done   N s  drink"]


@pytest.mark.parametrize(
    ("error", "word"), [(RuntimeError(), " failed"), (KeyboardInterrupt(), "stopped")]
)
def test_what_broke_off_is_not_called_done(
    stage: Stage, paper: StringIO, error: BaseException, word: str
) -> None:
    def perform() -> None:
        with stage:
            stage.step("drink")
            raise error

    with pytest.raises(type(error)):
        perform()
    assert lines(paper) == [f"{word}   N s  drink"]


def test_lines_to_copy_are_not_broken(stage: Stage, paper: StringIO) -> None:
    command = "curl " + "x" * 200 + " http://[2001:db8:100:0::7]/"
    stage.say(command)
    assert lines(paper) == [command]
