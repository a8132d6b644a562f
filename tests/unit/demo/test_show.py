"""Facts are drawn within 80 columns, with the figures that were found."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from lbaas.demo.facts import Crossing, Fact, Tally, Verdict
from lbaas.demo.judge import judge
from lbaas.demo.show import compact, show, summary
from tests.unit.demo.samples import EXCHANGES, FACTS, NODE_LOSS, ORDER, TABLES


def drawn(picture: RenderableType) -> str:
    console = Console(file=StringIO(), width=80, markup=False, emoji=False, highlight=False)
    with console.capture() as capture:
        console.print(picture)
    return capture.get()


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_no_line_is_wider_than_a_terminal_and_none_has_control_characters(fact: Fact) -> None:
    lines = drawn(show(fact, judge(fact))).splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.isprintable() for line in lines)


def test_an_order_shows_what_was_asked_and_what_was_answered() -> None:
    text = drawn(show(ORDER, ()))
    assert "POST /v1/vips" in text
    assert '{"address": "10.0.20.11"}' in text
    assert '"address": "198.51.100.7"' in text
    assert "after 31 ms" in text


def test_the_way_of_the_packets_has_every_count() -> None:
    text = drawn(show(EXCHANGES, ()))
    assert "161 packets, 1.01 MB back, 0 of them by a node" in text
    assert "lb1   108 packets, 6.63 kB in ─► 108 in tunnels" in text
    assert "backend2: 11 answers" in text


def test_more_backends_than_nodes_are_all_on_the_way() -> None:
    text = drawn(show(replace(EXCHANGES, served={f"backend{n}": n for n in range(1, 6)}), ()))
    assert [f"backend{n}: {n} answers" in text for n in range(1, 6)] == [True] * 5


def test_a_reply_by_a_node_is_drawn_as_one() -> None:
    stray = Crossing(Tally(1, 60), Tally(1, 80), Tally(3, 180), missed=0)
    assert "3 of them by a node" in drawn(show(replace(EXCHANGES, nodes={"lb1": stray}), ()))


def test_tables_have_routes_marks_and_counters() -> None:
    text = drawn(show(TABLES, ()))
    assert "lb1, lb2" in text
    assert "198.51.100.7 tcp 80" in text
    assert "0x10001000" in text
    assert "tunnel 10.0.20.12" in text
    assert "2616" in text


def test_the_strip_shows_the_worst_of_each_moment_and_where_the_node_died() -> None:
    lines = drawn(show(NODE_LOSS, ())).splitlines()
    strip = next(number for number, line in enumerate(lines) if "lb1 dies" in line) - 1
    assert lines[strip].rstrip() == "  .o  x  .."
    assert lines[strip + 1].rstrip() == "   ^ lb1 dies"


def test_a_verdict_says_whether_it_holds() -> None:
    judged = (Verdict("packets move", True, "3 of 3"), Verdict("pigs fly", False, "none does"))
    text = drawn(show(TABLES, judged))
    assert "holds  packets move: 3 of 3" in text
    assert "FAILS  pigs fly: none does" in text


def test_the_summary_counts_what_holds() -> None:
    good, bad = Verdict("a", True, ""), Verdict("b", False, "")
    assert "All 2 claims hold, 31 s" in drawn(summary([good, good], 31.4))
    assert "1 of 2 claims did not hold" in drawn(summary([good, bad], 31.4))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
)


@given(JSON, st.integers(min_value=1, max_value=100))
def test_compact_json_is_the_same_json(value: object, width: int) -> None:
    assert json.loads(compact(value, width)) == value


def test_compact_json_breaks_only_what_does_not_fit() -> None:
    value = {
        "ports": [{"first": 80}],
        "members": [{"address": "10.0.20.11"}, {"address": "10.0.20.12"}],
    }
    assert compact(value, 40) == (
        '{\n  "ports": [{"first": 80}],\n  "members": [\n'
        '    {"address": "10.0.20.11"},\n    {"address": "10.0.20.12"}\n  ]\n}'
    )
    assert compact(value, 200) == json.dumps(value)
