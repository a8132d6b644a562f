"""A schedule from a seed: the same seed, the same moves."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.moves import (
    OF_HOSTS,
    OF_NODES,
    OF_SERVER,
    OFF_THE_PATH,
    SERVER,
    Create,
    Delete,
    Fault,
    Order,
    Serve,
    Step,
    Strike,
    Wish,
)

SLOTS = 6
LONGEST_PAUSE_S = 1.0
LONGEST_FAULT = 5
STRIKES_OF_TEN = 5


@dataclass(frozen=True)
class Ground:
    """Where it happens, by the machines' names."""

    nodes: tuple[str, ...]
    hosts: tuple[str, ...]


def schedule(seed: int, length: int, ground: Ground) -> tuple[Step, ...]:
    """*length* steps. No machine has two faults at a time, and one node at most is off its routers' paths."""
    chance = random.Random(seed)
    return tuple(_steps(chance, length, ground))


def _steps(chance: random.Random, length: int, ground: Ground) -> Iterator[Step]:
    standing: dict[str, tuple[Fault, int]] = {}
    taken: set[int] = set()
    for number in range(length):
        standing = {name: each for name, each in standing.items() if each[1] > number}
        strike = (
            _strike(chance, ground, standing) if chance.randrange(10) < STRIKES_OF_TEN else None
        )
        if strike is not None:
            standing[strike.machine] = strike.fault, number + strike.lasts + 1
        move = strike or _order(chance, len(ground.hosts), taken)
        yield Step(move, round(chance.uniform(0, LONGEST_PAUSE_S), 2))


def _strike(
    chance: random.Random, ground: Ground, standing: dict[str, tuple[Fault, int]]
) -> Strike | None:
    """None if whom it would have struck has trouble already."""
    machine = chance.choice((*ground.nodes, *ground.nodes, *ground.hosts, SERVER))
    fault = chance.choice(sorted(_possible(machine, ground)))
    off_the_path = any(each in OFF_THE_PATH for each, _ in standing.values())
    if machine in standing or (off_the_path and fault in OFF_THE_PATH):
        return None
    return Strike(fault, machine, chance.randrange(LONGEST_FAULT))


def _possible(machine: str, ground: Ground) -> frozenset[Fault]:
    if machine == SERVER:
        return OF_SERVER
    return OF_NODES if machine in ground.nodes else OF_HOSTS


def _order(chance: random.Random, hosts: int, taken: set[int]) -> Order:
    """One that means something after those before it: *taken* are the slots that have a VIP then."""
    slot = chance.randrange(SLOTS)
    members = _members(chance, allowed(slot, hosts))
    if slot not in taken:
        taken.add(slot)
        return Create(slot, chance.choice((4, 6)), members)
    if chance.randrange(3):
        return Serve(slot, members)
    taken.remove(slot)
    return Delete(slot)


def allowed(slot: int, hosts: int) -> tuple[int, ...]:
    """The backends that the VIP of *slot* may have: one never is, so that a mix-up of VIPs shows."""
    return tuple(number for number in range(hosts) if number != slot % hosts)


def _members(chance: random.Random, backends: Sequence[int]) -> tuple[Wish, ...]:
    chosen = sorted(chance.sample(backends, chance.randint(1, len(backends))))
    return tuple(
        Wish(backend, chance.randint(1, 3), drained=chance.randrange(4) == 0) for backend in chosen
    )
