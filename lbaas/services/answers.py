"""What agents are sent: one body for all who ask the same, compressed once per coding."""

import asyncio
import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import zstandard

from lbaas.services.books import Book
from lbaas.wire.body import Kind, encode
from lbaas.wire.state import places

# Lowest levels: on states they come within a third of the best, in a tenth of the time.
_LEVEL = 1

# Below this size a compressor is faster than the way to a thread.
_INLINE_BYTES = 64 * 1024

# So many different spans are kept per state; the agents of a cluster mostly share one or two.
MAX_ANSWERS = 32

IDENTITY = "identity"

# Best first.
CODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstandard.ZstdCompressor(level=_LEVEL).compress(body),
    "gzip": lambda body: gzip.compress(body, _LEVEL, mtime=0),
    IDENTITY: lambda body: body,
}


@dataclass(frozen=True)
class Answer:
    """*body* leads whoever asked to the state of *revision*, whose digest is *digest*.

    *traces* are where those of the writes go on that led there.
    """

    revision: int
    digest: str
    body: bytes
    traces: Sequence[str] = ()
    _encoded: dict[str, asyncio.Future[bytes]] = field(default_factory=dict, repr=False)

    async def encoded(self, coding: str) -> bytes:
        """The body in *coding*, one of CODINGS: made for the first who asks, and kept."""
        encoded = self._encoded.get(coding)
        if encoded is None:
            encoded = self._encoded[coding] = self._encode(coding)
        return encoded.result() if encoded.done() else await asyncio.shield(encoded)

    def _encode(self, coding: str) -> asyncio.Future[bytes]:
        loop, encode = asyncio.get_running_loop(), CODINGS[coding]
        if coding == IDENTITY or len(self.body) < _INLINE_BYTES:
            done = loop.create_future()
            done.set_result(encode(self.body))
            return done
        return loop.run_in_executor(None, encode, self.body)


@dataclass(frozen=True)
class Published:
    """A book, and the answers that were made from it."""

    kind: Kind
    book: Book
    _answers: dict[int | None, Answer] = field(default_factory=dict, repr=False)

    def answer(self, since: int | None) -> Answer:
        """What leads from the state of *since* to the book's: the same object for all who ask the same."""
        if (known := self._answers.get(since)) is not None:
            return known
        update = self.book.update(self.kind, since)
        if update.base not in self._answers:
            if len(self._answers) >= MAX_ANSWERS:
                del self._answers[next(iter(self._answers))]
            digest = self.book.entries.digest
            body, traces = encode(update), places(update.writes)
            self._answers[update.base] = Answer(self.book.revision, digest, body, traces)
        return self._answers[update.base]


@lru_cache(maxsize=64)
def choose_coding(accepted: str) -> str:
    """The best coding that the ``Accept-Encoding`` header *accepted* names (RFC 9110, 12.5.3)."""
    offers = (offer.partition(";") for offer in accepted.lower().split(","))
    wanted = {name.strip() for name, _, weight in offers if not _is_zero(weight)}
    return next((coding for coding in CODINGS if coding in wanted), IDENTITY)


def _is_zero(weight: str) -> bool:
    return weight.replace(" ", "").removeprefix("q=") in ("0", "0.", "0.0", "0.00", "0.000")
