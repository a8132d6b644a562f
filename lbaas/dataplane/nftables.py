"""libnftables in process: a ruleset text in, JSON out."""

import ctypes
import json
from ctypes.util import find_library
from typing import Any

from lbaas.errors import LbaasError, ToolMissing

# NFT_CTX_OUTPUT_*, from nftables/libnftables.h.
_PLAIN = 0
_JSON = 1 << 4
# Numbers instead of names (protocols, priorities, symbols): ten times faster to list, and alike on machines
# whose /etc/protocols differ.
_NUMERIC = (1 << 7) | (1 << 8) | (1 << 9)


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

    def list_table(self, family: str, table: str) -> list[dict[str, Any]] | None:
        """The table's objects as libnftables-json(5) describes them; None if there is no such table."""
        try:
            text = self._run(f"list table {family} {table}", _JSON | _NUMERIC)
        except NftRefused as error:
            if "No such file or directory" in str(error):
                return None
            raise
        objects: list[dict[str, Any]] = json.loads(text)["nftables"]
        return [each for each in objects if "metainfo" not in each]

    def _run(self, commands: str, flags: int) -> str:
        self._library.nft_ctx_output_set_flags(self._context, flags)
        failed = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        output = self._library.nft_ctx_get_output_buffer(self._context) or b""
        errors = self._library.nft_ctx_get_error_buffer(self._context) or b""
        if failed:
            raise NftRefused(errors.decode(errors="replace").strip()[:2000])
        return bytes(output).decode()


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


# What differs between two listings of one ruleset: kernel-given numbers, and counters that count.
_ACCIDENTAL = frozenset({"handle", "index", "packets", "bytes"})


def structure(objects: list[dict[str, Any]], *, elements: bool) -> str:
    """The listing without names of the table, handles and counts: equal for equal rulesets.

    With *elements* the content of sets and maps is part of it.
    """
    left_out = _ACCIDENTAL if elements else _ACCIDENTAL | {"elem"}
    return json.dumps([_essence(each, left_out) for each in objects], sort_keys=True)


def _essence(value: Any, left_out: frozenset[str]) -> Any:
    if isinstance(value, dict):
        if "table" in value and isinstance(value["table"], dict):
            return "table"
        return {
            key: sorted(map(json.dumps, each)) if key == "elem" else _essence(each, left_out)
            for key, each in value.items()
            if key not in left_out and key != "table"
        }
    if isinstance(value, list):
        return [_essence(each, left_out) for each in value]
    return value


def learn_structure(nft: Nft, family: str, table: str, declaration: str, *, elements: bool) -> str:
    """How this machine's nftables would list a table declared as *declaration*.

    A listing differs from its declaration in ways that depend on the version, so the declaration is made
    once under another name, without hooks in force (``flags dormant``), listed, and deleted.
    """
    scratch = f"{table}_scratch"
    nft.run(
        f"add table {family} {scratch}\ndelete table {family} {scratch}\n"
        f"table {family} {scratch} {{\nflags dormant\n{declaration}\n}}\n"
    )
    try:
        return structure(nft.list_table(family, scratch) or [], elements=elements)
    finally:
        nft.run(f"delete table {family} {scratch}")
