"""libnftables in process: a ruleset text in, a listing out."""

import ctypes
import json
import re
from collections.abc import Iterable
from ctypes.util import find_library
from functools import cache
from typing import Any

from lbaas.errors import LbaasError, ToolMissing

# NFT_CTX_OUTPUT_*, from nftables/libnftables.h.
_PLAIN = 0
_STATELESS = 1 << 2  # no counts
_JSON = 1 << 4
_TERSE = 1 << 11  # no elements of sets and maps
# Numbers instead of names (protocols, priorities, symbols): ten times faster to list, and alike on machines
# whose /etc/protocols differ.
_NUMERIC = (1 << 7) | (1 << 8) | (1 << 9)

# The line that a table with flags has at its head.
_FLAGS = re.compile(r"^\tflags .*\n\n?", re.MULTILINE)
_TABLES = re.compile(r"^table (\S+) (\S+) \{\n(.*?^\}\n)", re.MULTILINE | re.DOTALL)
_ELEMENTS = re.compile(r"elements = \{([^}]*)\}")


class NftRefused(LbaasError):
    """nftables did not carry out a transaction: nothing of it was done."""


class Nft:
    """A libnftables context. Its socket belongs to the network namespace it was made in.

    Raises ToolMissing where the library is not installed.
    Source: libnftables(3).
    """

    def __init__(self) -> None:
        self._library = _load()
        self._context = ctypes.c_void_p(self._library.nft_ctx_new(0))
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def close(self) -> None:
        """The context is given back."""
        self._library.nft_ctx_free(self._context)

    def run(self, commands: str) -> None:
        """All *commands* are carried out in one transaction, or none: then NftRefused says why."""
        self._run(commands, _PLAIN)

    def structure(self, family: str, table: str, *, elements: bool = False) -> str | None:
        """The table's sets, chains and rules as nftables words them; None if there is no such table.

        Without the table's name and without counts: equal for equal rulesets. With *elements* the content
        of sets and maps is part of it, in an order that does not vary.
        """
        if not elements:
            return self.structures(family).get((family, table))
        text = self._list(f"table {family} {table}", _STATELESS | _NUMERIC)
        if text is None:
            return None
        _, _, body = text.partition("{\n")
        return _ELEMENTS.sub(_in_order, body)

    def elements(self, family: str, table: str) -> dict[str, list[Any]]:
        """Each set's and map's elements, as libnftables-json(5) describes them; empty without a table.

        Empty too for a table with flags: libnftables 1.0.6 gives their memory back twice as it writes JSON,
        and a heap so damaged ends the process at some later time. Ours has none, so that a table with flags
        is not as it should be whatever its elements are.
        """
        head = self.structure(family, table)
        if head is None or _FLAGS.search(head):
            return {}
        return _contents(self._list(f"table {family} {table}", _JSON | _NUMERIC))

    def elements_of(
        self, family: str, table: str, containers: Iterable[str]
    ) -> dict[str, list[Any]]:
        """As ``elements``, of *containers* alone: ``set NAME`` or ``map NAME``, those that are there."""
        return {
            name: elements
            for container in containers
            for name, elements in _contents(
                self._list(_within(container, family, table), _JSON | _NUMERIC)
            ).items()
        }

    def structures(self, family: str = "") -> dict[tuple[str, str], str]:
        """Every table of *family*, of all if that is empty, by family and name, as ``structure`` words it."""
        # Asked for one table, or for the names of all, the library reads all elements and then does not show them.
        text = self._run(f"list ruleset {family}", _STATELESS | _NUMERIC | _TERSE)
        return {(found[1], found[2]): found[3] for found in _TABLES.finditer(text)}

    def _list(self, what: str, flags: int) -> str | None:
        try:
            return self._run(f"list {what}", flags)
        except NftRefused as error:
            if "No such file or directory" in str(error):
                return None
            raise

    def _run(self, commands: str, flags: int) -> str:
        self._library.nft_ctx_output_set_flags(self._context, flags)
        failed = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        output = self._library.nft_ctx_get_output_buffer(self._context) or b""
        errors = self._library.nft_ctx_get_error_buffer(self._context) or b""
        if failed:
            raise NftRefused(errors.decode(errors="replace").strip()[:2000])
        return bytes(output).decode()


@cache  # to find it, a program is run
def _load() -> ctypes.CDLL:
    name = find_library("nftables") or "libnftables.so.1"
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        raise ToolMissing("libnftables is missing: apt-get install libnftables1") from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    for function in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, function).restype = ctypes.c_char_p
    return library


def _within(container: str, family: str, table: str) -> str:
    kind, _, name = container.partition(" ")
    return f"{kind} {family} {table} {name}"


def _contents(listing: str | None) -> dict[str, list[Any]]:
    return {
        body["name"]: body.get("elem", [])
        for each in json.loads(listing or '{"nftables": []}')["nftables"]
        for body in (each.get("set") or each.get("map"),)
        if body
    }


def _in_order(elements: re.Match[str]) -> str:
    return f"elements = {{ {', '.join(sorted(elements[1].replace(',', ' ').split()))} }}"


def learn_structure(nft: Nft, family: str, table: str, declaration: str, *, elements: bool) -> str:
    """How this machine's nftables would word a table declared as *declaration*.

    A listing differs from its declaration in ways that depend on the version, so the declaration is made
    once under another name, without hooks in force (``flags dormant``), listed, and deleted.
    """
    scratch = f"{table}_scratch"
    nft.run(
        f"add table {family} {scratch}\ndelete table {family} {scratch}\n"
        f"table {family} {scratch} {{\nflags dormant\n{declaration}\n}}\n"
    )
    try:
        return _FLAGS.sub("", nft.structure(family, scratch, elements=elements) or "", count=1)
    finally:
        nft.run(f"delete table {family} {scratch}")
