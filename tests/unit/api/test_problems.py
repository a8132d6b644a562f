from collections.abc import Iterator

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
    bad = {"loc": ("body", "members", 3), "msg": "no", "ctx": {"field": "port"}}

    assert problems._problem(bad) == {"pointer": "/members/3/port", "detail": "no"}


def test_pointers_are_escaped() -> None:
    bad = {"loc": ("body", "labels", "a/b~c"), "msg": "no"}

    assert problems._problem(bad)["pointer"] == "/labels/a~1b~0c"


def test_a_bad_parameter_is_named() -> None:
    bad = {"loc": ("query", "limit"), "msg": "too large"}

    assert problems._problem(bad) == {"parameter": "limit", "detail": "too large"}
