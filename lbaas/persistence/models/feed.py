"""What changed since when: the feed's rows, how far they were pruned, and the epoch they count in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Identity, Index, func, true
from sqlalchemy.orm import Mapped, mapped_column

from lbaas.persistence.models.base import CURRENT_REVISION, Base


class Change(Base):
    """One object of a cluster changed in transaction *revision*: the feed's row.

    *kind* and *object_id* name the smallest thing that is compiled as a whole: a VIP (its listeners
    included), a pool (its members included), the cluster itself (nodes, peers) or a backend host, which
    has no cluster. No foreign keys: the row outlives what it tells of. *request_id* and *traceparent* say
    which request wrote it, where one did.
    """

    __tablename__ = "change"
    __table_args__ = (Index(None, "cluster_id", "revision"), Index(None, "object_id", "revision"))

    revision: Mapped[int] = mapped_column(primary_key=True, server_default=CURRENT_REVISION)
    # The order within one transaction, which is one session's: so each session may take numbers in advance.
    seq: Mapped[int] = mapped_column(Identity(always=True, cache=64), primary_key=True)
    cluster_id: Mapped[UUID | None]
    kind: Mapped[str]
    object_id: Mapped[UUID]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    request_id: Mapped[str | None]
    traceparent: Mapped[str | None]


class Pruned(Base):
    """The one row: changes up to revision *upto* may be missing from the feed."""

    __tablename__ = "pruned"
    __table_args__ = (CheckConstraint("one", name="one_row"),)

    one: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    upto: Mapped[int]


class FeedEpoch(Base):
    """The one row: the epoch, an operator's word that this database is the truth since *begun_at*."""

    __tablename__ = "epoch"
    __table_args__ = (CheckConstraint("one", name="one_row"),)

    one: Mapped[bool] = mapped_column(primary_key=True, server_default=true())
    id: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())
    begun_at: Mapped[datetime] = mapped_column(server_default=func.now())
