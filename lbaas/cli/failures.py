"""What a failure says to a person, and the exit code that a script sees.

Exit codes:

0   done
1   failed in another way
2   the command line or the file makes no sense
3   no such object
4   no token, one that does not hold, or one that may not do this
5   the present state forbids it: in use, taken, changed meanwhile, quota
6   the server can't be reached, has failed, or asks for patience
7   not programmed, or not safe to stop, in time
8   a field's value can't be accepted
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from lbaas.cli.keyrings import NoKeyring
from lbaas.cli.manifest import BadManifest
from lbaas.cli.profiles import NoProfile
from lbaas.cli.references import NotThere
from lbaas.cli.values import BadValue
from lbaas.client import problems
from lbaas.client.problems import ApiProblem, NotProgrammed, NotSafeToStop
from lbaas.errors import LbaasError, NoFlow, ServerUnavailable

EXIT_CODES: Mapping[type[LbaasError], int] = {
    BadValue: 2,
    BadManifest: 2,
    NoFlow: 2,
    NotThere: 3,
    problems.NotFound: 3,
    NoProfile: 4,
    NoKeyring: 4,
    problems.Unauthenticated: 4,
    problems.Forbidden: 4,
    problems.Conflict: 5,
    problems.ChangedMeanwhile: 5,
    problems.BlindWrite: 5,
    ServerUnavailable: 6,
    problems.ServerFailed: 6,
    problems.RateLimited: 6,
    NotProgrammed: 7,
    NotSafeToStop: 7,
    problems.Invalid: 8,
}

# How to go on, where the problem does not say it by itself.
_HINTS: Mapping[type[LbaasError], str] = {
    problems.Unauthenticated: "log in anew: lbaas login URL",
    problems.ChangedMeanwhile: "somebody was faster: look again, and repeat it",
    ServerUnavailable: "is the server there? lbaas profile list says which one is asked",
}

V = TypeVar("V")
FlagOf = Callable[[str], str | None]


def exit_code(error: LbaasError) -> int:
    """See the module."""
    return _first(EXIT_CODES, error) or 1


def message(error: LbaasError, flag_of: FlagOf = lambda _pointer: None) -> str:
    """What is wrong, at which option, and what to do. *flag_of* knows the option of a JSON pointer."""
    return "\n".join(_lines(error, flag_of))


def _lines(error: LbaasError, flag_of: FlagOf) -> Iterator[str]:
    if isinstance(error, ApiProblem):
        yield from _problem(error, flag_of)
    else:
        yield f"lbaas: {error}"
    hint = _first(_HINTS, error)
    if hint:
        yield f"  {hint}"


def _problem(error: ApiProblem, flag_of: FlagOf) -> Iterator[str]:
    if not error.problems:
        yield f"lbaas: {error.detail.replace('?cascade=true', '--cascade')}"
    else:
        yield f"lbaas: {error.problem.get('title', 'refused')}"
    for bad in error.problems:
        flag = flag_of(bad.pointer) if bad.pointer else None
        place = bad.pointer or bad.parameter or ""
        yield f"  {f'{flag} ({place})' if flag else place}: {bad.detail}"
    for user in error.problem.get("used_by") or ():
        yield f"  used by {user['kind']} {user['name']} ({user['id']})"


def _first(table: Mapping[type[LbaasError], V], error: LbaasError) -> V | None:
    """The row of the error's own class, or else of the nearest that it is a kind of."""
    return next((table[kind] for kind in type(error).__mro__ if kind in table), None)
