"""The epoch as the API shows it: an operator's word on which database is the truth."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Epoch(BaseModel):
    """Since *begun_at* agents obey this database, whatever they held in the epoch before."""

    id: UUID
    begun_at: datetime


class EpochRenewal(BaseModel):
    """Names the epoch that ends, so that nobody ends one that he has not seen."""

    model_config = ConfigDict(extra="forbid")

    present: UUID = Field(description="The epoch that ends: the one that you have seen.")
