"""A request of every operation, as the description shows it and as a test sends it.

The ids stand for objects of a reader's own; the test puts those of its own in their place.
"""

from collections.abc import Iterator, Mapping
from typing import Any

NAMES = (
    *("vip", "listener", "pool", "member", "tenant", "token"),
    *("cluster", "node", "peer", "address_pool", "backend_host"),
    *("question", "epoch"),
)
IDS: Mapping[str, str] = {
    f"{name}_id": f"0192f1a0-6d5c-7a77-a1f4-{number:012x}" for number, name in enumerate(NAMES, 1)
}
MEMBERS = [{"address": "10.0.20.11"}, {"address": "10.0.20.12", "weight": 2}]

BODIES: Mapping[str, dict[str, Any]] = {
    "VipCreate": {
        "name": "shop",
        "address_pool_id": IDS["address_pool_id"],
        "labels": {"env": "prod"},
        "listeners": [
            {
                "name": "http",
                "protocol": "tcp",
                "ports": [{"first": 80}, {"first": 8000, "last": 8099}],
                "pool": {"members": MEMBERS},
            }
        ],
    },
    "VipPatch": {"labels": {"env": "test"}},
    "ListenerCreate": {
        "vip_id": IDS["vip_id"],
        "name": "https",
        "protocol": "tcp",
        "ports": [{"first": 443}],
        "pool_id": IDS["pool_id"],
    },
    "ListenerPatch": {"ports": [{"first": 443}, {"first": 8443}]},
    "PoolCreate": {
        "name": "web",
        "scheduler": "mh",
        "monitor": {"kind": "http", "http": {"path": "/health"}},
        "members": MEMBERS,
    },
    "PoolPatch": {"labels": {"tier": "front"}},
    "MemberCreate": {"address": "10.0.20.13", "weight": 2},
    "MemberSet": {"members": [{"address": "10.0.20.14"}, {"address": "10.0.20.15"}]},
    "MemberPatch": {"admin_state": "drained"},
    "TenantCreate": {
        "name": "acme",
        "backend_prefixes": ["10.0.20.0/24"],
        "quotas": {"vips": 10},
    },
    "TenantPatch": {"backend_prefixes": ["10.0.20.0/24", "fd00:20::/64"]},
    "TokenCreate": {"name": "portal", "role": "member", "tenant_id": IDS["tenant_id"]},
    "ClusterCreate": {"name": "east", "as_number": 65001},
    "ClusterPatch": {"name": "east-1"},
    "NodeCreate": {"cluster_id": IDS["cluster_id"], "name": "lb1", "addresses": ["10.0.10.11"]},
    "NodePatch": {"admin_state": "drained"},
    "RemovalConfirmation": {"revision": 733},
    "EpochRenewal": {"present": IDS["epoch_id"]},
    "PeerCreate": {
        "cluster_id": IDS["cluster_id"],
        "name": "router1",
        "address": "10.0.10.1",
        "as_number": 65000,
        "password": "a-shared-secret",
    },
    "PeerPatch": {"password": "another-secret"},
    "AddressPoolCreate": {
        "name": "public",
        "cluster_id": IDS["cluster_id"],
        "prefix": "203.0.113.0/28",
        "reserved": ["203.0.113.0/32"],
    },
    "AddressPoolPatch": {"quarantine_s": 300},
    "BackendHostCreate": {"name": "host1", "addresses": ["192.0.2.11"]},
    "PodAddresses": {"addresses": ["10.244.1.7", "10.244.1.8"]},
    "BackendHostPatch": {"addresses": ["192.0.2.12", "2001:db8::12"]},
    "Answer": {
        "hops": [
            {
                "machine": "lb1",
                "stage": "mark",
                "verdict": "ok",
                "desired": "203.0.113.1 protocol 6 port 443 gets mark 0x10000000",
                "actual": "203.0.113.1 protocol 6 port 443 gets mark 0x10000000",
            }
        ],
        "members": ["10.0.20.11"],
        "mtu": 1500,
    },
    "EnrolmentCreate": {"expires_in_s": 900},
    "CertificateRequest": {
        "csr": "-----BEGIN CERTIFICATE REQUEST-----\n"
        "MIG6MGICAQAwADBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKN/DhB3FtqEwE+S\n"
        "CGleDfZtAOdTLAaaKX422dzwBG5bV4asnpuzumYCkMw/cg0cx3codz3719ShM+vX\n"
        "LDpxYe2gADAKBggqhkjOPQQDAgNIADBFAiEA83PCp/3kNtE/ig2eDj+IVs0RULMk\n"
        "6pWXzJefH4v8s4wCIGCHlECdHoH7IeYbodPNVN/3MoQqhyIslIykT8xCnryt\n"
        "-----END CERTIFICATE REQUEST-----\n"
    },
    "Report": {
        "boot": "0192f1a0-6d5c-7a77-a1f4-1b1d3a3c8f10",
        "sequence": 1,
        "revision": 733,
        "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "changes": 12,
        "repaired": 0,
        "failures": [],
    },
    "UsageReports": {
        "reports": [
            {
                "meter": "0192f1a0-6d5c-7a77-a1f4-2c2d3a3c8f10",
                "sequence": 1,
                "begun_s": 1735732800,
                "ended_s": 1735732860,
                "totals": [
                    {
                        "point": "node",
                        "vip": IDS["vip_id"],
                        "listener": IDS["listener_id"],
                        "packets": 1200,
                        "bytes": 1048576,
                        "connections": 17,
                    }
                ],
                "prefixes": [
                    {
                        "point": "node",
                        "vip": IDS["vip_id"],
                        "prefix": "192.0.2.0/24",
                        "packets": 1200,
                        "bytes": 1048576,
                    }
                ],
            }
        ]
    },
}


def show(described: dict[str, Any]) -> None:
    """The description *described* has the examples."""
    for name, body in BODIES.items():
        described["components"]["schemas"][name]["examples"] = [body]
    for parameter in _path_parameters(described):
        parameter["example"] = IDS[parameter["name"]]


def _path_parameters(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in described["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    yield parameter
