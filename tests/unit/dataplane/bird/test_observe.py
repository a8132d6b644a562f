"""What is read of BIRD, by one that answers what it is told to, line by line."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest

from lbaas.dataplane.bird.desired import STATIC_PROTOCOLS, Announcement, identity, render
from lbaas.dataplane.bird.observe import STRETCH, Patrol, observe
from lbaas.dataplane.bird.plan import Observed
from lbaas.domain.addresses import Prefix

FOUR, SIX = IPv4Network("198.51.100.1/32"), IPv6Network("2001:db8:100::1/128")
OTHER = IPv4Network("198.51.100.2/32")
WANTED = Announcement(65001, (), frozenset({FOUR, SIX}))

# Two stretches and a bit, in the text's order.
MANY = [IPv4Network((int(OTHER.network_address) + each, 32)) for each in range(2 * STRETCH)] + [SIX]
MASTER4 = "show route table master4 protocol lbaas_vips4"
MASTER6 = "show route table master6 protocol lbaas_vips6"
PROTOCOLS = (
    "2002-Name       Proto      Table      State  Since         Info\n"
    "1002-device1    Device     ---        up     10:34:11.389  \n"
    " lbaas_peer_10_0_10_1 BGP        ---        up     10:34:11.389  Established\n"
    " lbaas_peer_10_0_10_2 BGP        ---        start  10:34:11.389  Active        Refused\n"
    "0000 \n"
)


class Bird:
    """Runs with *text*, and has *routes*. *asked* are the lines it was sent."""

    def __init__(self, text: str, *routes: Prefix) -> None:
        self._text = text
        self._routes = routes
        self.asked: list[str] = []

    def answer(self, line: str) -> str:
        self.asked.append(line)
        if line == "eval lbaas_text":
            return f"0023 {identity(self._text)}\n" if self._text else "9001 syntax error\n"
        if line == "show protocols":
            return PROTOCOLS
        family = next(each for each, name in STATIC_PROTOCOLS.items() if name in line)
        shown = [each for each in self._routes if each.version == family]
        if "/" in line:
            shown = [each for each in shown if str(each) == line.rsplit(maxsplit=1)[-1]]
            if not shown:
                return "8001 Network not found\n"
        if line.endswith(" count"):
            return f"0014 {len(shown)} of 9 routes for 9 networks in table master{family}\n"
        return (
            f"1007-Table master{family}:\n"
            + "".join(f" {each}  blackhole [lbaas 10:34:11] * (200)\n" for each in shown)
            + "0000 \n"
        )


@contextmanager
def listening(path: Path, answer: Callable[[str], str], sessions: int = 1) -> Iterator[None]:
    """So many *sessions* at *path*, one after the other."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen(1)

        def serve() -> None:
            for _ in range(sessions):
                session, _ = server.accept()
                with session, session.makefile("rw", newline="\n") as lines:
                    lines.write("0001 BIRD 2.0.12 ready.\n")
                    lines.flush()
                    for line in lines:
                        lines.write(answer(line.rstrip("\n")))
                        lines.flush()

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def test_a_bird_with_the_files_text_and_as_many_routes_is_asked_to_list_none(
    tmp_path: Path,
) -> None:
    control, include = tmp_path / "ctl", tmp_path / "lbaas.conf"
    include.write_text(render(WANTED))
    bird = Bird(render(WANTED), FOUR, SIX)
    with listening(control, bird.answer):
        found = observe(control, include)
    assert (found.whole, found.listed, found.loaded) == (True, None, WANTED.prefixes)
    assert found.established == {"lbaas_peer_10_0_10_1"}
    assert [line for line in bird.asked if line.startswith("show route")] == [
        f"{MASTER4} count",
        f"{MASTER6} count",
    ]


@pytest.mark.parametrize(
    ("text", "routes"),
    [
        (render(WANTED), (FOUR,)),  # somebody disabled a protocol
        (render(Announcement(65001, (), frozenset({OTHER, SIX}))), (OTHER, SIX)),
        ("", (OTHER,)),  # what an agent before this one wrote named no text
        ("", ()),
    ],
)
def test_any_other_bird_has_what_it_lists(
    tmp_path: Path, text: str, routes: tuple[Prefix, ...]
) -> None:
    control, include = tmp_path / "ctl", tmp_path / "lbaas.conf"
    include.write_text(render(WANTED))
    with listening(control, Bird(text, *routes).answer):
        found = observe(control, include)
    assert (found.whole, found.loaded) == (False, frozenset(routes))


def test_without_a_file_bird_is_asked_all_the_same(tmp_path: Path) -> None:
    control = tmp_path / "ctl"
    with listening(control, Bird("", FOUR).answer):
        found = observe(control, tmp_path / "lbaas.conf")
    assert found.text is None
    assert found.loaded == frozenset({FOUR})


def test_look_by_look_every_route_is_asked_for(tmp_path: Path) -> None:
    bird = Bird(saying(MANY), *MANY)
    looks = patrolled(tmp_path, bird, 4)
    assert [(each.whole, each.loaded) for each in looks] == [(True, frozenset(MANY))] * 4
    asked = [line for line in bird.asked if "/" in line]
    assert asked == [
        *(f"{MASTER4} {each}" for each in MANY[:-1]),
        f"{MASTER6} {SIX}",
        *(f"{MASTER4} {each}" for each in MANY[:STRETCH]),
    ]


@pytest.mark.parametrize(
    ("number", "looks"), [(0, 1), (STRETCH, 2), (2 * STRETCH - 1, 2), (2 * STRETCH, 3)]
)
def test_one_route_for_another_under_the_texts_name_is_found_once_it_is_asked_for(
    tmp_path: Path, number: int, looks: int
) -> None:
    swapped = [*MANY[:number], IPv4Network("203.0.113.1"), *MANY[number + 1 :]]
    *before, last = patrolled(tmp_path, Bird(saying(MANY), *swapped), looks)
    assert all(each.whole for each in before)
    assert (last.whole, last.loaded) == (False, frozenset(swapped))


def test_a_text_that_has_become_shorter_is_looked_at_from_its_beginning(tmp_path: Path) -> None:
    control, include = tmp_path / "ctl", tmp_path / "lbaas.conf"
    patrol = Patrol(control, include)
    include.write_text(saying(MANY))
    with listening(control, Bird(saying(MANY), *MANY).answer):
        assert patrol.observe().whole
    control.unlink()
    include.write_text(saying([FOUR, SIX]))
    bird = Bird(saying([FOUR, SIX]), FOUR, SIX)
    with listening(control, bird.answer, sessions=2):
        assert [patrol.observe().whole for _ in range(2)] == [True] * 2
    assert [line for line in bird.asked if "/" in line] == [f"{MASTER4} {FOUR}", f"{MASTER6} {SIX}"]


def saying(prefixes: Iterable[Prefix]) -> str:
    """The text that announces them."""
    return render(Announcement(65001, (), frozenset(prefixes)))


def patrolled(directory: Path, bird: Bird, looks: int) -> list[Observed]:
    """What so many looks at *bird*, whose include file says MANY, find."""
    control, include = directory / "ctl", directory / "lbaas.conf"
    include.write_text(saying(MANY))
    patrol = Patrol(control, include)
    with listening(control, bird.answer, sessions=looks):
        return [patrol.observe() for _ in range(looks)]
