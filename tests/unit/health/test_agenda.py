"""What is due when."""

from hypothesis import given
from hypothesis import strategies as st

from lbaas.health.agenda import Agenda, following


@given(st.lists(st.floats(0, 100)))
def test_entries_come_in_the_order_of_their_time(times: list[float]) -> None:
    agenda: Agenda[float] = Agenda()
    for at_s in times:
        agenda.add(at_s, at_s)
    come = []
    while (entry := agenda.due(100)) is not None:
        come.append(entry)
    assert come == sorted(times)


def test_nothing_comes_before_its_time() -> None:
    agenda: Agenda[str] = Agenda()
    assert agenda.pause_s(0, longest_s=1) == 1
    agenda.add(5, "late")
    assert agenda.due(4.9) is None
    assert agenda.pause_s(4.5, longest_s=1) == 0.5
    assert agenda.pause_s(6, longest_s=1) == 0
    assert agenda.due(5) == "late"


@given(st.floats(0, 1e6), st.floats(0.1, 3600), st.floats(0, 1, exclude_max=True))
def test_probes_drift_apart_and_are_never_late(
    begun_s: float, interval_s: float, chance: float
) -> None:
    next_s = following(begun_s, interval_s, chance)
    assert begun_s + 0.89 * interval_s <= next_s <= begun_s + interval_s
