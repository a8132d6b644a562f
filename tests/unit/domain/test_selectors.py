import pytest

from lbaas.domain.selectors import MAX_REQUIREMENTS, Requirement, Wants, parse


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("env=prod", [Requirement("env", Wants.IS, "prod")]),
        ("env==prod", [Requirement("env", Wants.IS, "prod")]),
        ("env=", [Requirement("env", Wants.IS, "")]),
        ("env!=prod", [Requirement("env", Wants.IS_NOT, "prod")]),
        ("example.org/app", [Requirement("example.org/app", Wants.THERE)]),
        ("!app", [Requirement("app", Wants.NOT_THERE)]),
        ("a=1, !b", [Requirement("a", Wants.IS, "1"), Requirement("b", Wants.NOT_THERE)]),
    ],
)
def test_a_selector_is_read_part_by_part(text: str, parsed: list[Requirement]) -> None:
    assert list(parse(text)) == parsed


@pytest.mark.parametrize(
    "text", ["", "a,", "=", "!a=b", "a=b=c", "a b", "a=b c", "a>1", "-a", "a\x00"]
)
def test_what_is_no_selector_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is none of"):
        parse(text)


def test_a_selector_has_an_end() -> None:
    with pytest.raises(ValueError, match="more than"):
        parse(",".join(["a"] * (MAX_REQUIREMENTS + 1)))
