"""The API's resources in one table: where each lives, and the models of its bodies and answers.

The clients' collections and the whole command line are made from it; a field that a model gains appears
in all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from lbaas.wire import operators, tenants
from lbaas.wire.fields import Input, Patch, Resource

R = TypeVar("R", bound=Resource)  # as it is shown
M = TypeVar("M", bound=Resource)  # as a POST answers it
C = TypeVar("C", bound=Input)
P = TypeVar("P", bound=BaseModel)


@dataclass(frozen=True)
class Kind(Generic[R, M, C, P]):
    """One kind of resource, at ``/v1/{path}``. *identity* is the field that people know an object by."""

    name: str
    path: str
    shown: type[R]
    made: type[M]
    create: type[C]
    patch: type[P] | None
    identity: str = "name"
    operators_only: bool = False

    @property
    def words(self) -> str:
        """``address pool``, for a sentence."""
        return self.name.replace("_", " ")


VIPS = Kind("vip", "vips", tenants.Vip, tenants.Vip, tenants.VipCreate, tenants.VipPatch)
LISTENERS = Kind(
    "listener",
    "listeners",
    tenants.Listener,
    tenants.Listener,
    tenants.ListenerCreate,
    tenants.ListenerPatch,
)
POOLS = Kind("pool", "pools", tenants.Pool, tenants.Pool, tenants.PoolCreate, tenants.PoolPatch)
MEMBERS = Kind(
    "member",
    "members",
    tenants.Member,
    tenants.Member,
    tenants.MemberCreate,
    tenants.MemberPatch,
    identity="address",
)
TENANTS = Kind(
    "tenant",
    "tenants",
    operators.Tenant,
    operators.TenantInUse,
    operators.TenantCreate,
    operators.TenantPatch,
    operators_only=True,
)
TOKENS: Kind[operators.Token, operators.NewToken, operators.TokenCreate, Patch] = Kind(
    "token",
    "tokens",
    operators.Token,
    operators.NewToken,
    operators.TokenCreate,
    None,
    operators_only=True,
)
CLUSTERS = Kind(
    "cluster",
    "clusters",
    operators.Cluster,
    operators.Cluster,
    operators.ClusterCreate,
    operators.ClusterPatch,
    operators_only=True,
)
NODES = Kind(
    "node",
    "nodes",
    operators.Node,
    operators.Node,
    operators.NodeCreate,
    operators.NodePatch,
    operators_only=True,
)
PEERS = Kind(
    "peer",
    "peers",
    operators.Peer,
    operators.Peer,
    operators.PeerCreate,
    operators.PeerPatch,
    operators_only=True,
)
ADDRESS_POOLS = Kind(
    "address_pool",
    "address-pools",
    operators.AddressPool,
    operators.AddressPool,
    operators.AddressPoolCreate,
    operators.AddressPoolPatch,
    operators_only=True,
)
BACKEND_HOSTS = Kind(
    "backend_host",
    "backend-hosts",
    operators.BackendHost,
    operators.BackendHost,
    operators.BackendHostCreate,
    operators.BackendHostPatch,
    operators_only=True,
)

AnyKind = Kind[Any, Any, Any, Any]

# Members are not among them: they live inside a pool.
KINDS: Mapping[str, AnyKind] = {
    kind.name: kind
    for kind in (
        VIPS,
        LISTENERS,
        POOLS,
        TENANTS,
        TOKENS,
        CLUSTERS,
        NODES,
        PEERS,
        ADDRESS_POOLS,
        BACKEND_HOSTS,
    )
}
