from collections.abc import Iterator

import pytest

from lbaas import errors
from lbaas.api import problems


def subclasses(kind: type[errors.Refused]) -> Iterator[type[errors.Refused]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_refusal_of_the_error_tree_has_a_problem() -> None:
    assert set(problems.KINDS) == set(subclasses(errors.Refused))


def test_no_two_refusals_share_a_type() -> None:
    types = [problems.uri(kind) for kind in problems.KINDS]

    assert len(set(types)) == len(types)
    assert problems.uri(errors.PoolExhausted) == "/errors/pool-exhausted"


def test_a_member_port_points_at_the_port() -> None:
    bad = {"loc": ("body", "members", 0), "msg": "no", "ctx": {"field": "port"}}

    assert problems._problem(bad, {"members": [{}]}) == {
        "pointer": "/members/0/port",
        "detail": "no",
    }


def test_pointers_are_escaped() -> None:
    bad = {"loc": ("body", "labels", "a/b~c"), "msg": "no"}

    assert problems._problem(bad, {"labels": {"a/b~c": 1}})["pointer"] == "/labels/a~1b~0c"


@pytest.mark.parametrize(
    ("loc", "kind", "pointer"),
    [
        (("members", "tuple", 1, "Member", "weight", "int"), "int_type", "/members/1/weight"),
        (("members", "tuple", 1, "Member", "address"), "missing", "/members/1/address"),
        (("labels", "a b", "[key]"), "string_pattern_mismatch", "/labels/a b"),
        (("name", "str"), "string_type", "/name"),
    ],
)
def test_a_pointer_names_what_is_in_the_body_or_what_is_missing(
    loc: tuple[str | int, ...], kind: str, pointer: str
) -> None:
    body = {"name": 1, "labels": {"a b": "c"}, "members": [{}, {"weight": "x"}]}
    bad = {"loc": ("body", *loc), "msg": "no", "type": kind}

    assert problems._problem(bad, body)["pointer"] == pointer


def test_a_bad_parameter_is_named() -> None:
    bad = {"loc": ("query", "limit"), "msg": "too large"}

    assert problems._problem(bad, None) == {"parameter": "limit", "detail": "too large"}
