"""What people and programs read: tables, JSON, differences, failures."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from lbaas import errors
from lbaas.cli.differences import lines
from lbaas.cli.failures import EXIT_CODES, exit_code, message
from lbaas.cli.references import NotThere
from lbaas.cli.render import COLUMNS, Output, aligned, cell, object_text, rows_text
from lbaas.client import problems
from lbaas.client.kinds import CLUSTERS, KINDS, MEMBERS
from lbaas.wire.operators import Cluster, MarkRange, Timeouts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EDGE = Cluster(
    id=UUID(int=1),
    created_at=NOW,
    updated_at=NOW,
    name="edge",
    as_number=65001,
    marks=MarkRange(),
    timeouts=Timeouts(),
    removal_guard_percent=50,
    connection_sync=False,
)


@pytest.mark.parametrize("kind", [*KINDS.values(), MEMBERS], ids=lambda kind: kind.name)
def test_every_column_is_a_field_and_the_first_is_what_people_know_the_object_by(
    kind: object,
) -> None:
    name, shown = kind.name, kind.shown  # type: ignore[attr-defined]  # parametrised
    assert set(COLUMNS[name]) <= set(shown.model_fields)
    assert COLUMNS[name][0] == kind.identity  # type: ignore[attr-defined]  # parametrised


def test_a_table_shows_what_matters_and_wide_shows_all() -> None:
    assert rows_text(CLUSTERS, [EDGE], Output.TABLE).splitlines() == [
        "NAME  AS_NUMBER  MARKS",
        "edge  65001      268435456-268500991",
    ]
    assert "CONNECTION_SYNC" in rows_text(CLUSTERS, [EDGE], Output.WIDE)
    assert rows_text(CLUSTERS, [], Output.TABLE) == "NAME  AS_NUMBER  MARKS"


def test_programs_get_all_of_it() -> None:
    assert '"as_number": 65001' in rows_text(CLUSTERS, [EDGE], Output.JSON)
    assert "as_number: 65001" in object_text(EDGE, Output.YAML)
    assert rows_text(CLUSTERS, [], Output.JSON) == "[]"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ([], "-"),
        ({}, "-"),
        (True, "yes"),
        (0, "0"),
        ({"first": 80, "last": 80}, "80"),
        ([{"first": 80, "last": 81}, {"first": 90, "last": 90}], "80-81,90"),
        ({"env": "prod", "tier": "1"}, "env=prod,tier=1"),
        ({"vips": None}, "-"),
    ],
)
def test_values_fit_a_cell(value: object, text: str) -> None:
    assert cell(value) == text


def test_columns_are_as_wide_as_they_need_to_be() -> None:
    assert aligned([["A", "B"], ["long", "x"]]) == "A     B\nlong  x"
    assert aligned([]) == ""


def test_differences_are_told_field_by_field() -> None:
    before = {"id": 1, "labels": {"a": "1", "b": "2"}, "weight": 1, "same": 0}
    after = {"id": 2, "labels": {"a": "1", "b": "3"}, "weight": 2, "same": 0}
    assert lines(before, after) == ["  labels.b: 2 → 3", "  weight: 1 → 2"]
    assert lines({"labels": {"a": "1"}}, {"labels": {}}) == ["  labels: a=1 → -"]


def problem(
    kind: type[problems.ApiProblem], status: int, **document: object
) -> problems.ApiProblem:
    return kind(status, {"title": "Title", "detail": "what is wrong", **document})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (problem(problems.InUse, 409), 5),
        (problem(problems.Suspended, 403), 4),
        (problem(problems.KeyReused, 422), 8),
        (problem(problems.ServerFailed, 500), 6),
        (errors.ServerUnavailable("refused"), 6),
        (NotThere("no"), 3),
        (errors.ToolMissing("no YAML"), 1),
    ],
)
def test_a_failure_ends_with_the_code_of_its_nearest_kind(
    error: errors.LbaasError, code: int
) -> None:
    assert exit_code(error) == code


def test_the_codes_that_are_documented_are_those_that_there_are() -> None:
    import lbaas.cli.failures as module

    said = {
        int(line.split()[0]) for line in (module.__doc__ or "").splitlines() if line[:1].isdigit()
    }
    assert said == {0, 1, *EXIT_CODES.values()}


def test_a_refusal_names_option_field_reason_and_who_uses_it() -> None:
    bad = [
        {"pointer": "/members/0/port", "detail": "a member has no port"},
        {"parameter": "limit", "detail": "too big"},
    ]
    said = message(
        problem(problems.Invalid, 422, problems=bad),
        lambda pointer: "--member" if "members" in pointer else None,
    )
    assert said.splitlines() == [
        "lbaas: Title",
        "  --member (/members/0/port): a member has no port",
        "  limit: too big",
    ]
    used = problem(problems.InUse, 409, used_by=[{"kind": "listener", "name": "http", "id": "7"}])
    assert message(used).splitlines() == ["lbaas: what is wrong", "  used by listener http (7)"]


def test_a_failure_says_how_to_go_on() -> None:
    assert "lbaas login URL" in message(problem(problems.Unauthenticated, 401))
    assert "repeat it" in message(problem(problems.ChangedMeanwhile, 412))
