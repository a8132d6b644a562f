"""What agents are asked to look at: they wait here, and answer; whoever asked waits for their answers.

No agent listens on a port, so the question waits for the agent. A question lives for seconds: one whose notice
is lost is answered late or not at all, and asked again by the person who asked.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import CursorResult, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from lbaas.errors import Forbidden
from lbaas.persistence.database import Database
from lbaas.persistence.models import Question
from lbaas.persistence.notices import Notice, Sender
from lbaas.services.bells import Bells
from lbaas.services.states import refuse_gone
from lbaas.services.work import Caller
from lbaas.wire import explanation as wire

QUESTION, ANSWER = "question", "answer"  # topics of notices

# A question is no longer asked after this, however long the one who asked would wait.
LIFETIME = timedelta(seconds=60)


@dataclass(frozen=True)
class Asked:
    """The key of an agent's bell. Of a kind of its own: the look that others take now and then is not for it."""

    agent: str


async def waiting(database: Database, bells: Bells, caller: Caller, until: float) -> wire.Questions:
    """What the caller, an agent, is asked, as soon as it is; nothing at the loop's time *until*."""
    agent = _agent(caller)
    with bells.listen(Asked(str(agent))) as bell:
        while True:
            found = await _asked_of(database, agent)
            if found or not await bell.wait(until):
                return wire.Questions(questions=found)


async def store(
    database: Database, sender: Sender, caller: Caller, question: UUID, answer: wire.Answer
) -> None:
    """Whoever waits for the answer has it. One that nobody asked the caller for is dropped."""
    agent = _agent(caller)
    mine = (Question.id == question, Question.agent_id == agent, Question.expires_at > func.now())
    values = {"answer": answer.model_dump(mode="json")}
    async with database.session() as session, session.begin():
        found = await session.execute(update(Question).where(*mine).values(values))
        taken = isinstance(found, CursorResult) and found.rowcount
    if taken:
        sender.send([Notice(ANSWER, str(question))])


async def ask(
    database: Database,
    sender: Sender,
    bells: Bells,
    agents: Collection[UUID],
    flow: wire.FiveTuple,
    until: float,
) -> Mapping[UUID, wire.Answer]:
    """The answers of *agents*, by agent; at the loop's time *until* those that have come."""
    if not agents:
        return {}
    made = {uuid7(): agent for agent in agents}
    with bells.listen(*((ANSWER, str(question)) for question in made)) as bell:
        await _put(database, made, flow)
        sender.send(Notice(QUESTION, str(agent)) for agent in made.values())
        while True:
            answers = await _answers(database, made)
            if len(answers) == len(made) or not await bell.wait(until):
                return answers


async def forget_old(session: AsyncSession) -> None:
    """Questions that nobody waits for any more are gone."""
    await session.execute(delete(Question).where(Question.expires_at < func.now()))


def _agent(caller: Caller) -> UUID:
    agent = caller.node_id or caller.host_id
    if agent is None:
        refuse_gone(caller)
        raise Forbidden("only agents are asked: use a token of role node or host")
    return agent


async def _asked_of(database: Database, agent: UUID) -> tuple[wire.Question, ...]:
    open_ = (Question.answer.is_(None), Question.expires_at > func.now())
    query = select(Question.id, Question.flow).where(Question.agent_id == agent, *open_)
    async with database.autocommit() as session:
        rows = (await session.execute(query.order_by(Question.id))).all()
    return tuple(
        wire.Question(id=question, flow=wire.FiveTuple.model_validate(flow))
        for question, flow in rows
    )


async def _put(database: Database, made: Mapping[UUID, UUID], flow: wire.FiveTuple) -> None:
    rows = [
        {
            "id": question,
            "agent_id": agent,
            "flow": flow.model_dump(mode="json"),
            "expires_at": func.now() + LIFETIME,
        }
        for question, agent in made.items()
    ]
    async with database.session() as session, session.begin():
        await session.execute(insert(Question).values(rows))


async def _answers(database: Database, made: Mapping[UUID, UUID]) -> dict[UUID, wire.Answer]:
    query = select(Question.id, Question.answer).where(Question.id.in_(list(made)))
    async with database.autocommit() as session:
        rows = (await session.execute(query.where(Question.answer.is_not(None)))).all()
    return {made[question]: wire.Answer.model_validate(answer) for question, answer in rows}
