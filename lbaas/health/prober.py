"""Carries checks out: one thread, one epoll, thousands of probes."""

import errno
import os
import random
import resource
import select
import time
from collections.abc import Callable, Iterable
from itertools import count
from queue import SimpleQueue

import structlog

from lbaas.errors import BadState
from lbaas.health.agenda import Agenda, following
from lbaas.health.checks import Check
from lbaas.health.probe import Probe
from lbaas.health.sockets import OUR_OWN, Sources
from lbaas.health.verdicts import Result, Standing, explained, judge

log = structlog.get_logger()

_LONGEST_PAUSE_S = 1.0

# New members wait for their first pass, so their probes begin almost at once; this far apart.
_FIRST_APART_S = 0.0005

# Descriptors that are not for probes, and how soon a check is tried again that found none left.
_SPARE_FILES, _MOST_PROBES = 256, 8192
_CROWDED_S = 0.02

_COMPLAIN_EVERY_S = 60.0

_WORDS = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EHOSTUNREACH: "no route to it",
    errno.ENETUNREACH: "no route to it",
}


class Watch:
    """A check, what is held of its member, and whether it is still wanted.

    Once it has begun, the prober's thread alone writes *standing*; *gone* is its owner's.
    """

    __slots__ = ("check", "fall", "gone", "interval_s", "rise", "standing", "timeout_s")

    def __init__(self, check: Check, standing: Standing) -> None:
        self.check = check
        self.standing = standing
        self.gone = False
        self.interval_s = check.monitor.interval_ms / 1000
        self.timeout_s = check.monitor.timeout_ms / 1000
        self.rise, self.fall = check.monitor.rise, check.monitor.fall


class _Round:
    """One probe of a watch."""

    __slots__ = ("begun_s", "over", "probe", "watch")

    def __init__(self, watch: Watch, probe: Probe, begun_s: float) -> None:
        self.watch = watch
        self.probe = probe
        self.begun_s = begun_s
        self.over = False


class Prober:
    """Runs the watches that it is given, in the thread that calls ``run``."""

    def __init__(self) -> None:
        self._changed: Callable[[Watch], None] = _tell_nobody
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll = select.epoll()
        self._epoll.register(self._bell, select.EPOLLIN)
        self._agenda: Agenda[Callable[[], None]] = Agenda()
        self._rounds: dict[int, _Round] = {}
        self._sources = Sources(time.monotonic)
        self._identifiers = count(random.randrange(1 << 16))  # noqa: S311  # telling apart, not secrecy
        self._most = _most_probes()
        self._complained_s = float("-inf")
        self._stopping = False

    def begin(self, watches: Iterable[Watch]) -> None:
        """Their probes begin: new members' at once, the others' spread over an interval. From any thread."""
        wanted = tuple(watches)
        self._ask(lambda: self._begin(wanted))

    def call_at(self, at_s: float, action: Callable[[], None]) -> None:
        """*action* is called by the prober's thread at *at_s* of the monotonic clock. From any thread."""
        self._ask(lambda: self._agenda.add(at_s, action))

    def stop(self) -> None:
        """``run`` returns soon. From any thread."""

        def stop() -> None:
            self._stopping = True

        self._ask(stop)

    def run(self, changed: Callable[[Watch], None]) -> None:
        """Probes until stopped; no socket is left then. *changed* is called when a verdict changes."""
        self._changed = changed
        while not self._stopping:
            try:
                self._turn()
            except Exception:  # the thread must not die of what nobody foresaw
                log.exception("checking broke off")
                time.sleep(_LONGEST_PAUSE_S)
        for round_ in self._rounds.values():
            round_.probe.close()
        self._epoll.close()
        os.close(self._bell)

    def _ask(self, action: Callable[[], None]) -> None:
        self._inbox.put(action)
        os.eventfd_write(self._bell, 1)

    def _turn(self) -> None:
        """What was asked for and what is due is done, and so is what the kernel has to say."""
        while not self._inbox.empty():
            self._inbox.get()()
        now_s = time.monotonic()
        while (action := self._agenda.due(now_s)) is not None:
            action()
        for descriptor, _ in self._epoll.poll(self._agenda.pause_s(now_s, _LONGEST_PAUSE_S)):
            round_ = self._rounds.get(descriptor)
            if round_ is not None:
                self._advance(round_)
            elif descriptor == self._bell:
                os.eventfd_read(self._bell)

    def _begin(self, watches: tuple[Watch, ...]) -> None:
        now_s = time.monotonic()
        for place, watch in enumerate(watches):
            if watch.standing.proven:
                delay_s = watch.interval_s * random.random()  # noqa: S311  # spreading, not secrecy
            else:
                delay_s = min(place * _FIRST_APART_S, watch.interval_s)
            self._plan(watch, now_s + delay_s)

    def _plan(self, watch: Watch, at_s: float) -> None:
        self._agenda.add(at_s, lambda: self._start(watch))

    def _start(self, watch: Watch) -> None:
        now_s = time.monotonic()
        if watch.gone:
            return
        if len(self._rounds) >= self._most:
            self._plan(watch, now_s + _CROWDED_S)
            return
        try:
            probe = Probe(watch.check, next(self._identifiers) & 0xFFFF, self._sources)
        except OSError as error:
            self._conclude(watch, now_s, self._finding(error))
        except (BadState, ValueError) as error:
            self._conclude(watch, now_s, Result(passed=False, cause=f"can't be asked: {error}"))
        else:
            self._follow(_Round(watch, probe, now_s))

    def _follow(self, round_: _Round) -> None:
        """It is heard of when its socket is ready or its time is over, whichever comes first."""
        probe = round_.probe
        self._rounds[probe.descriptor] = round_
        self._epoll.register(probe.descriptor, probe.awaits)
        self._agenda.add(round_.begun_s + round_.watch.timeout_s, lambda: self._expire(round_))

    def _advance(self, round_: _Round) -> None:
        probe = round_.probe
        awaited = probe.awaits
        try:
            result = probe.advance()
        except OSError as error:
            self._end(round_, self._finding(error))
            return
        if result is not None:
            self._end(round_, result)
        elif probe.awaits != awaited:
            self._epoll.modify(probe.descriptor, probe.awaits)

    def _expire(self, round_: _Round) -> None:
        if not round_.over:
            self._end(round_, Result(passed=False, cause="no answer in time"))

    def _end(self, round_: _Round, result: Result | None) -> None:
        round_.over = True
        del self._rounds[round_.probe.descriptor]
        round_.probe.close()  # and epoll forgets it
        self._conclude(round_.watch, round_.begun_s, result)

    def _conclude(self, watch: Watch, begun_s: float, result: Result | None) -> None:
        """The result is judged, unless there is none, and the next probe is planned."""
        now_s = time.monotonic()
        next_s = following(begun_s, watch.interval_s, random.random())  # noqa: S311  # spreading
        self._plan(watch, max(next_s, now_s))
        if result is None or watch.gone:
            return
        before = watch.standing
        judged = judge(before, result, watch.rise, watch.fall, now_s)
        watch.standing = explained(judged, result)
        if (watch.standing.fit, watch.standing.cause) != (before.fit, before.cause):
            self._changed(watch)

    def _finding(self, error: OSError) -> Result | None:
        """What an error says of the member; None where it is the node's own."""
        code = error.errno or 0
        if code not in OUR_OWN:
            return Result(passed=False, cause=_WORDS.get(code) or error.strerror or repr(error))
        if time.monotonic() - self._complained_s > _COMPLAIN_EVERY_S:
            self._complained_s = time.monotonic()
            log.warning("the node can't check its members", error=str(error), note="no verdict")
        return None


def _tell_nobody(_: Watch) -> None:
    """Before ``run`` nobody wants to know."""


def _most_probes() -> int:
    """As many at once as the process may have files; it may have as many as the system grants."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return _MOST_PROBES
    return max(1, min(_MOST_PROBES, hard - _SPARE_FILES))
