"""Numbers that are given out once: addresses and fwmarks, held, free or resting."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from lbaas.persistence.models.base import Base


class Mark(Base):
    """A number of a cluster's range that a listener has, or that waits until no node can hold it still."""

    __tablename__ = "mark"
    __table_args__ = (
        CheckConstraint(
            "(listener_id IS NULL) <> (freed_at_revision IS NULL)", name="held_or_freed"
        ),
    )

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"), primary_key=True)
    mark: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    listener_id: Mapped[UUID | None] = mapped_column(ForeignKey("listener.id"), unique=True)
    freed_at_revision: Mapped[int | None]


class FreeExtent(Base):
    """Numbers *lo* to *hi* of a space are free; extents of one space are disjoint.

    A space is an address pool's addresses or a cluster's fwmarks, named by that object's id. The key is
    *hi*: taking the lowest number changes *lo* only, so the update touches no index.
    """

    __tablename__ = "free_extent"
    __table_args__ = (CheckConstraint("lo <= hi + 1", name="ordered"),)

    space_id: Mapped[UUID] = mapped_column(primary_key=True)
    hi: Mapped[Decimal] = mapped_column(Numeric(39, 0), primary_key=True)
    lo: Mapped[Decimal] = mapped_column(Numeric(39, 0))


class RestingNumber(Base):
    """A number of a space that was given back, and is nobody's until *due_at*.

    *owner_id*, the tenant who had it, may have it again at once: nobody else's packets can reach him by it.
    """

    __tablename__ = "resting_number"
    __table_args__ = (Index(None, "due_at"),)

    space_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[Decimal] = mapped_column(Numeric(39, 0), primary_key=True)
    owner_id: Mapped[UUID]
    due_at: Mapped[datetime]
