"""Operators' resources, as the API takes them (``…Create``, ``…Patch``) and as it shows them."""

from lbaas.wire.operators.address_pools import (
    AddressPool,
    AddressPoolCreate,
    AddressPoolFill,
    AddressPoolPatch,
)
from lbaas.wire.operators.agents import CERTIFICATE
from lbaas.wire.operators.backend_hosts import (
    BackendHost,
    BackendHostCreate,
    BackendHostPatch,
    PodAddresses,
)
from lbaas.wire.operators.clusters import (
    Cluster,
    ClusterCreate,
    ClusterPatch,
    MarkRange,
    Timeouts,
)
from lbaas.wire.operators.nodes import Node, NodeCreate, NodePatch, RemovalConfirmation
from lbaas.wire.operators.peers import Peer, PeerCreate, PeerPatch
from lbaas.wire.operators.tenants import (
    Tenant,
    TenantCreate,
    TenantInUse,
    TenantPatch,
    TenantUsage,
)
from lbaas.wire.operators.tokens import NewToken, Token, TokenCreate

__all__ = [
    "CERTIFICATE",
    "AddressPool",
    "AddressPoolCreate",
    "AddressPoolFill",
    "AddressPoolPatch",
    "BackendHost",
    "BackendHostCreate",
    "BackendHostPatch",
    "Cluster",
    "ClusterCreate",
    "ClusterPatch",
    "MarkRange",
    "NewToken",
    "Node",
    "NodeCreate",
    "NodePatch",
    "Peer",
    "PeerCreate",
    "PeerPatch",
    "PodAddresses",
    "RemovalConfirmation",
    "Tenant",
    "TenantCreate",
    "TenantInUse",
    "TenantPatch",
    "TenantUsage",
    "Timeouts",
    "Token",
    "TokenCreate",
]
