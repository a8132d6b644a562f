"""The example of every operation in the description does what the operation says."""

import pytest

from .conftest import Site
from .described import Operation, ask, bearer, objects, operations, request

OPERATIONS = [pytest.param(each, id=each.id) for each in operations()]


def needed_empty(operation: Operation, ids: dict[str, str], site: Site) -> None:
    """What else must go before the operation can be done."""
    if operation.id == "delete_cluster":
        site.admin.delete(f"/v1/address-pools/{ids['address_pool_id']}")
        site.admin.delete(f"/v1/peers/{ids['peer_id']}")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_example_is_answered_with_success(site: Site, operation: Operation) -> None:
    ids = objects(site)
    needed_empty(operation, ids, site)
    answer = ask(bearer(site, operation, ids), operation, *request(operation, ids))
    assert answer.is_success, answer.text
