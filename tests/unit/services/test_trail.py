from typing import Any
from uuid import UUID

import pytest

from lbaas.services.trail import Action, Deed, join

Values = dict[str, Any] | None


def deed(action: Action, before: Values, after: Values) -> Deed:
    return Deed(action, "pool", UUID(int=1), "p", None, before, after)


CREATE = deed(Action.CREATE, None, {"a": 1, "b": 1})
UPDATE = deed(Action.UPDATE, {"a": 1}, {"a": 2})
AGAIN = deed(Action.UPDATE, {"a": 2, "b": 1}, {"a": 3, "b": 2})
DELETE = deed(Action.DELETE, {"a": 2, "b": 1}, None)


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        (CREATE, UPDATE, deed(Action.CREATE, None, {"a": 2, "b": 1})),
        (CREATE, DELETE, None),
        (UPDATE, AGAIN, deed(Action.UPDATE, {"a": 1, "b": 1}, {"a": 3, "b": 2})),
        (UPDATE, DELETE, deed(Action.DELETE, {"a": 1, "b": 1}, None)),
    ],
)
def test_two_deeds_on_one_object_tell_from_the_first_to_the_last(
    first: Deed, second: Deed, joined: Deed | None
) -> None:
    assert join(first, second) == joined
