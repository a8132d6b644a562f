import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.moves import OFF_THE_PATH, Create, Delete, Serve, Step, Strike
from tests.chaos.schedule import Ground, allowed, schedule

GROUND = Ground(("lb1", "lb2"), ("backend1", "backend2", "backend3"))

seeds = st.integers(0, 1 << 31)


@given(seeds)
def test_the_same_seed_gives_the_same_moves(seed: int) -> None:
    assert schedule(seed, 40, GROUND) == schedule(seed, 40, GROUND)


def test_other_seeds_give_other_moves() -> None:
    assert len({schedule(seed, 40, GROUND) for seed in range(50)}) == 50


@given(seeds)
def test_a_longer_schedule_begins_as_the_shorter_one(seed: int) -> None:
    assert schedule(seed, 60, GROUND)[:40] == schedule(seed, 40, GROUND)


@given(seeds)
def test_orders_mean_something_after_those_before_them(seed: int) -> None:
    taken: set[int] = set()
    for step in schedule(seed, 60, GROUND):
        match step.move:
            case Create(slot):
                assert slot not in taken
                taken.add(slot)
            case Serve(slot):
                assert slot in taken
            case Delete(slot):
                taken.remove(slot)


@given(seeds)
def test_a_vip_never_asks_for_the_backend_that_would_give_a_mix_up_away(seed: int) -> None:
    for step in schedule(seed, 60, GROUND):
        if isinstance(step.move, Create | Serve):
            chosen = {wish.backend for wish in step.move.members}
            assert chosen <= set(allowed(step.move.slot, 3)) < {0, 1, 2}


@given(seeds)
def test_one_node_at_most_is_off_the_path_and_no_machine_has_two_faults(seed: int) -> None:
    steps = schedule(seed, 80, GROUND)
    for number, standing in enumerate(_standing(steps)):
        machines = [strike.machine for strike in standing]
        assert len(set(machines)) == len(machines), number
        assert sum(strike.fault in OFF_THE_PATH for strike in standing) <= 1, number


def _standing(steps: tuple[Step, ...]) -> list[list[Strike]]:
    """The faults that stand after each step."""
    strikes = [(number, step.move) for number, step in enumerate(steps)]
    return [
        [
            move
            for at, move in strikes
            if isinstance(move, Strike) and at <= number <= at + move.lasts
        ]
        for number in range(len(steps))
    ]


@pytest.mark.parametrize("slot", range(6))
def test_every_slot_leaves_out_one_backend(slot: int) -> None:
    assert len(allowed(slot, 3)) == 2
