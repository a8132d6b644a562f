"""What was counted and is not yet the server's, on disk.

One SQLite file, so that a period and what the kernel had shown by then are kept together or not at all. A period gets
its number when it is first sent; until then it may be merged with others, afterwards it never changes.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import structlog
import zstandard

from lbaas.metering.periods import Period, merged
from lbaas.metering.room import Kept, Room, to_merge
from lbaas.wire.usage import UsageAcknowledged, UsageReport

log = structlog.get_logger()

_TABLES = """
CREATE TABLE IF NOT EXISTS meter (id TEXT NOT NULL, numbered INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS known (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS periods (
    place INTEGER PRIMARY KEY, begun_s INTEGER NOT NULL, merged INTEGER NOT NULL,
    raw INTEGER NOT NULL, body BLOB NOT NULL, sequence INTEGER UNIQUE
);
"""

# So much JSON is sent at once: half of what the server reads.
_BATCH_BYTES = 8 << 20


@dataclass(frozen=True)
class Waiting:
    """How many periods wait for the server, and since when, in seconds since the epoch."""

    periods: int
    since_s: int | None


class Buffer:
    """An open buffer. Threads may share it. All that it says is on disk when the call returns.

    A file that can't be read is set aside, and a new meter begins: *lost*. Raises sqlite3.Error where the disk refuses.
    """

    def __init__(self, path: Path, room: Room | None = None) -> None:
        self._room = room or Room()
        self._lock = threading.Lock()
        self.lost = False  # what an earlier meter had not sent
        try:
            self._database = _opened(path)
        except sqlite3.OperationalError:
            raise  # the disk is full, or not there: nothing is wrong with the file
        except sqlite3.DatabaseError as error:
            log.warning("usage not sent can't be read", error=str(error), kept_as=str(_aside(path)))
            _set_aside(path)
            self._database = _opened(path)
            self.lost = True

    def close(self) -> None:
        """The file is given back."""
        self._database.close()

    @property
    def meter(self) -> UUID:
        """Who numbers the reports."""
        with self._transaction() as database:
            return UUID(database.execute("SELECT id FROM meter").fetchone()[0])

    def known(self, name: str) -> bytes | None:
        """What was kept under *name*, with the last period that was entered."""
        with self._transaction() as database:
            row = database.execute("SELECT value FROM known WHERE name = ?", (name,)).fetchone()
        return None if row is None else zstandard.decompress(row[0])

    def enter(self, period: Period, known: Mapping[str, bytes]) -> None:
        """*period* waits to be sent, and *known* is kept. Of what nobody was sent, some is merged if room is short."""
        with self._transaction() as database:
            _remember(database, known)
            database.execute(
                "INSERT INTO periods (begun_s, merged, raw, body) VALUES (?, ?, ?, ?)",
                _row(period),
            )
            self._make_room(database)

    def remember(self, known: Mapping[str, bytes]) -> None:
        """*known* is kept."""
        with self._transaction() as database:
            _remember(database, known)

    def next_reports(self, most: int) -> list[UsageReport]:
        """The oldest reports that wait, in order. From now on they have their numbers and never change."""
        with self._transaction() as database:
            chosen = list(_chosen(database, most))
            (meter, numbered) = database.execute("SELECT id, numbered FROM meter").fetchone()
            reports = []
            for place, body, sequence in chosen:
                if sequence is None:
                    numbered += 1
                    database.execute(
                        "UPDATE periods SET sequence = ? WHERE place = ?", (numbered, place)
                    )
                reports.append(_unpacked(body).numbered(UUID(meter), sequence or numbered))
            database.execute("UPDATE meter SET numbered = ?", (numbered,))
        return reports

    def acknowledge(self, acknowledged: UsageAcknowledged) -> None:
        """What the server has is forgotten; another meter's word is not heard."""
        if acknowledged.meter != self.meter:
            return
        with self._transaction() as database:
            database.execute("DELETE FROM periods WHERE sequence <= ?", (acknowledged.sequence,))

    def waiting(self) -> Waiting:
        """What the server does not have."""
        with self._transaction() as database:
            return Waiting(
                *database.execute("SELECT count(*), min(begun_s) FROM periods").fetchone()
            )

    def _make_room(self, database: sqlite3.Connection) -> None:
        """Merging halves what was merged at most, so each turn makes the file smaller."""
        while pair := to_merge(_kept(database), self._room):
            bodies = [
                database.execute("SELECT body FROM periods WHERE place = ?", (place,)).fetchone()[0]
                for place in pair
            ]
            period = merged(map(_unpacked, bodies))
            database.execute("DELETE FROM periods WHERE place = ?", (pair[1],))
            database.execute(
                "UPDATE periods SET begun_s = ?, merged = ?, raw = ?, body = ? WHERE place = ?",
                (*_row(period), pair[0]),
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._database:
            yield self._database


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False)
    try:
        # What was committed survives the machine's crash, not only ours.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        _check(database)
        with database:
            database.executescript(_TABLES)
            if database.execute("SELECT 1 FROM meter").fetchone() is None:
                database.execute("INSERT INTO meter VALUES (?, 0)", (str(uuid4()),))
    except BaseException:
        database.close()
        raise
    return database


def _check(database: sqlite3.Connection) -> None:
    verdict = database.execute("PRAGMA quick_check").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


def _aside(path: Path) -> Path:
    return path.with_suffix(".unreadable")


def _set_aside(path: Path) -> None:
    path.replace(_aside(path))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _remember(database: sqlite3.Connection, known: Mapping[str, bytes]) -> None:
    database.executemany(
        "INSERT OR REPLACE INTO known VALUES (?, ?)",
        [(name, zstandard.compress(value)) for name, value in known.items()],
    )


def _kept(database: sqlite3.Connection) -> list[Kept]:
    rows = database.execute(
        "SELECT place, begun_s, merged, length(body), sequence IS NOT NULL FROM periods ORDER BY place"
    )
    return [
        Kept(place, begun_s, turns, size, bool(sent)) for place, begun_s, turns, size, sent in rows
    ]


def _chosen(database: sqlite3.Connection, most: int) -> Iterator[tuple[int, bytes, int | None]]:
    size = 0
    rows = database.execute(
        "SELECT place, raw, body, sequence FROM periods ORDER BY place LIMIT ?", (most,)
    )
    for place, raw, body, sequence in rows.fetchall():
        size += raw
        if size > max(raw, _BATCH_BYTES):
            return
        yield place, body, sequence


def _row(period: Period) -> tuple[int, int, int, bytes]:
    body = period.model_dump_json().encode()
    return period.begun_s, period.merged, len(body), zstandard.compress(body)


def _unpacked(body: bytes) -> Period:
    return Period.model_validate_json(zstandard.decompress(body))
