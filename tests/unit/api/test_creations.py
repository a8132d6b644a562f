"""Which creations are answered without the framework; all others get the described route's answer."""

import pytest

from lbaas.api.creations import Post, regular

PLAIN = {
    "authorization": "Bearer lbaas_x",
    "content-type": "application/json",
    "content-length": "12",
}


@pytest.mark.parametrize("key", [None, "a-key"])
def test_a_plain_post_is_regular_with_a_key_or_without(key: str | None) -> None:
    headers = PLAIN if key is None else {**PLAIN, "idempotency-key": key}

    assert regular(b"", headers) == Post("lbaas_x", key)


@pytest.mark.parametrize(
    "other",
    [
        {"authorization": ""},
        {"authorization": "Basic abc"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "text/plain"},
        {"content-length": ""},
        {"content-length": "0"},
        {"content-length": "1048577"},
        {"idempotency-key": ""},
        {"idempotency-key": "two words"},
        {"idempotency-key": "x" * 256},
    ],
)
def test_anything_else_is_left_to_the_route(other: dict[str, str]) -> None:
    assert regular(b"", {**PLAIN, **other}) is None


def test_a_parameter_is_left_to_the_route() -> None:
    assert regular(b"dry_run=true", PLAIN) is None
