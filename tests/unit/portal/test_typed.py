from typing import Any

import pytest

from lbaas.portal.typed import labels, number, number_or_none, ports, spans, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("80", [{"first": 80}]),
        ("80,443", [{"first": 80}, {"first": 443}]),
        ("80 443", [{"first": 80}, {"first": 443}]),
        ("8000 - 8099", [{"first": 8000, "last": 8099}]),
        ("8000\u20138099", [{"first": 8000, "last": 8099}]),
        ("http", [{"first": "http"}]),
        ("1-", [{"first": 1, "last": ""}]),
    ],
)
def test_ports_are_read_as_people_write_them(text: str, found: list[dict[str, Any]]) -> None:
    assert spans(text) == found


def test_what_is_no_number_goes_to_the_api_as_it_is() -> None:
    assert [number(text) for text in ("5", "0.5", "five", "")] == [5, 0.5, "five", ""]


def test_labels_are_read_as_people_write_them() -> None:
    assert labels(" env = prod,,canary\nteam=a") == {"env": "prod", "canary": "", "team": "a"}


def test_all_ports_is_a_word() -> None:
    assert ports("all") == {"all_ports": True}
    assert ports("53") == {"ports": [{"first": 53}]}


def test_an_empty_field_is_no_value_where_the_api_has_none() -> None:
    assert [number_or_none(text) for text in ("", "0", "soon")] == [None, 0, "soon"]


def test_words_stand_between_commas_or_spaces() -> None:
    assert words("192.0.2.0/24, 198.51.100.0/24\n") == ["192.0.2.0/24", "198.51.100.0/24"]
