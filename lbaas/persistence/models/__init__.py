"""The tables.

Two rules hold everywhere. What a tenant owns carries ``tenant_id`` itself, children included, so that one
query path can scope every read. Revisions are transaction ids kept as ``bigint``: ``xid8`` has no ``max()``
before Postgres 16, and 2^63 transactions are out of reach.
"""

from lbaas.persistence.models.base import (
    CURRENT_REVISION,
    HORIZON,
    SECRET,
    Base,
    Identified,
    Labelled,
    Owned,
    Reporting,
    Resource,
)
from lbaas.persistence.models.enrolment import AgentCertificate, Enrolment
from lbaas.persistence.models.feed import Change, FeedEpoch, Pruned
from lbaas.persistence.models.operators import (
    AddressPool,
    BackendHost,
    Cluster,
    Node,
    NodeFinding,
    Peer,
    Tenant,
    Token,
)
from lbaas.persistence.models.records import Event, PortalSession, Question, StoredAnswer
from lbaas.persistence.models.spaces import FreeExtent, Mark, RestingNumber
from lbaas.persistence.models.tenants import Listener, Member, Pool, Vip

__all__ = [
    "CURRENT_REVISION",
    "HORIZON",
    "SECRET",
    "AddressPool",
    "AgentCertificate",
    "BackendHost",
    "Base",
    "Change",
    "Cluster",
    "Enrolment",
    "Event",
    "FeedEpoch",
    "FreeExtent",
    "Identified",
    "Labelled",
    "Listener",
    "Mark",
    "Member",
    "Node",
    "NodeFinding",
    "Owned",
    "Peer",
    "Pool",
    "PortalSession",
    "Pruned",
    "Question",
    "Reporting",
    "Resource",
    "RestingNumber",
    "StoredAnswer",
    "Tenant",
    "Token",
    "Vip",
]
