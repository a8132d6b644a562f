"""Who asks, where a request brings a token, a certificate, or both."""

from uuid import UUID

import pytest

from lbaas.domain.terms import Role
from lbaas.errors import CertificateNeeded, Unauthenticated
from lbaas.services.certificates import agreed
from lbaas.services.remembered import Remembered
from lbaas.services.work import Caller


def node(number: int, *, certified: bool) -> Caller:
    return Caller(f"n{number}", "n", Role.NODE, node_id=UUID(int=number), certified=certified)


TOKEN, CERTIFICATE = node(1, certified=False), node(1, certified=True)
PERSON = Caller("token:1", "p", Role.ADMIN)


@pytest.mark.parametrize(
    ("token", "certificate", "required", "caller"),
    [
        (TOKEN, None, False, TOKEN),
        (PERSON, None, False, PERSON),
        (PERSON, None, True, PERSON),
        (None, CERTIFICATE, False, CERTIFICATE),
        (None, CERTIFICATE, True, CERTIFICATE),
        (TOKEN, CERTIFICATE, True, CERTIFICATE),
    ],
)
def test_one_of_both_is_enough_and_both_must_be_one_agents(
    token: Caller | None, certificate: Caller | None, required: bool, caller: Caller
) -> None:
    assert agreed(token, certificate, required=required) is caller


@pytest.mark.parametrize(
    ("token", "certificate", "required"),
    [
        (TOKEN, None, True),
        (node(2, certified=False), CERTIFICATE, False),
        (PERSON, CERTIFICATE, False),
    ],
)
def test_an_agent_without_a_certificate_of_its_own_is_told_to_get_one(
    token: Caller, certificate: Caller | None, required: bool
) -> None:
    with pytest.raises(CertificateNeeded):
        agreed(token, certificate, required=required)


def test_neither_is_nobody() -> None:
    with pytest.raises(Unauthenticated):
        agreed(None, None, required=False)


class Rows:
    """What is on record, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.found: str | None = "caller"
        self.hearing = True
        self.remembered: Remembered[str, str] = Remembered(self.look_up, lambda: self.hearing)

    async def look_up(self, _key: str) -> str | None:
        self.asked += 1
        return self.found


pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_what_was_found_is_remembered_until_it_is_forgotten() -> None:
    rows = Rows()
    assert [await rows.remembered.get("a") for _ in range(3)] == ["caller"] * 3
    assert rows.asked == 1

    rows.remembered.forget("a")
    await rows.remembered.get("a")
    rows.remembered.forget_all()
    await rows.remembered.get("a")

    assert rows.asked == 3


async def test_what_is_not_there_and_what_is_asked_while_nothing_is_heard_is_not() -> None:
    rows = Rows()
    rows.found = None
    assert await rows.remembered.get("a") is None
    rows.found = "caller"
    assert await rows.remembered.get("a") == "caller"
    rows.hearing = False
    await rows.remembered.get("a")
    await rows.remembered.get("a")

    assert rows.asked == 4


async def test_what_was_read_while_it_was_revoked_is_not_remembered() -> None:
    rows = Rows()

    async def revoked_meanwhile(key: str) -> str | None:
        rows.remembered.forget(key)
        return await Rows.look_up(rows, key)

    rows.remembered = Remembered(revoked_meanwhile, lambda: True)
    await rows.remembered.get("a")
    await rows.remembered.get("a")

    assert rows.asked == 2
