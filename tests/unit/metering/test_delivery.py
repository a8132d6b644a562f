"""Everything reaches the ledger once, whatever the server answers meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lbaas.errors import Decommissioned, ServerUnavailable
from lbaas.metering.buffer import Buffer
from lbaas.metering.delivery import Delivery
from lbaas.wire.usage import UsageAcknowledged, UsageReports
from tests.unit.metering.kernel import FakeLedger
from tests.unit.metering.test_buffer import minute


class Answers:
    """Raises what it is given, one a call, then answers as the ledger."""

    def __init__(self, *errors: Exception | Callable[[UsageAcknowledged], UsageAcknowledged]):
        self.ledger = FakeLedger()
        self._errors = list(errors)

    def usage(self, reports: UsageReports) -> UsageAcknowledged:
        answer = self.ledger.usage(reports)
        if not self._errors:
            return answer
        instead = self._errors.pop(0)
        if isinstance(instead, Exception):
            raise instead
        return instead(answer)


@pytest.fixture
def buffer(tmp_path: Path) -> Iterator[Buffer]:
    with closing(Buffer(tmp_path / "usage.db")) as opened:
        for number in range(70):
            opened.enter(minute(number), {})
        yield opened


def sent(buffer: Buffer, answers: Answers) -> list[float]:
    """The pauses that were made."""
    pauses: list[float] = []
    Delivery(buffer, answers, 0.0, sleep=pauses.append).send_all()
    return pauses


def test_all_that_waits_is_sent_in_batches(buffer: Buffer) -> None:
    answers = Answers()
    assert sent(buffer, answers) == []
    assert (answers.ledger.packets, buffer.waiting().periods) == (70, 0)


def test_a_server_that_is_away_is_tried_again_until_it_is_back(buffer: Buffer) -> None:
    answers = Answers(ServerUnavailable("away"), ServerUnavailable("away"))
    assert len(sent(buffer, answers)) == 2
    assert answers.ledger.packets == 70


def test_a_server_that_asks_for_patience_gets_it(buffer: Buffer) -> None:
    (pause_s,) = sent(buffer, Answers(ServerUnavailable("busy", retry_after_s=240)))
    assert pause_s == 240


def test_an_acknowledgement_that_goes_nowhere_is_no_reason_to_hurry(buffer: Buffer) -> None:
    answers = Answers(lambda answer: answer.model_copy(update={"sequence": 0}))
    assert [pause_s > 0 for pause_s in sent(buffer, answers)] == [True]
    assert answers.ledger.packets == 70


def test_an_agent_that_was_deleted_keeps_what_it_has_and_asks_seldom(buffer: Buffer) -> None:
    assert sent(buffer, Answers(Decommissioned("gone"))) == [600]


def test_what_nobody_foresaw_does_not_end_delivery(buffer: Buffer) -> None:
    answers = Answers(RuntimeError("?"))
    assert len(sent(buffer, answers)) == 1
    assert answers.ledger.packets == 70
