"""What Postgres writes of a row is what the row's model would have written."""

import json

import pytest
from sqlalchemy import Text, literal_column, select

from lbaas.client.api import ApiClient
from lbaas.persistence import documents, models
from lbaas.persistence.database import Database
from lbaas.services.reading import LOADED_TOO, ROWS
from lbaas.wire import operators, tenants
from lbaas.wire.fields import Resource

from .conftest import LiveServer, Site, listener, make_site, unique

pytestmark = pytest.mark.anyio

WRITABLE = [kind for kind, model in ROWS.items() if documents.expression(kind, model) is not None]


def fill(site: Site) -> None:
    """Rows of every kind: both families, ranges of ports, labels, times, and what is null or empty."""
    owner = site.member()
    v4, v6 = ({"address_pool_id": pool["id"]} for pool in (site.v4, site.v6))
    web = listener("web", 80, "10.0.20.1", "10.0.20.2", labels={"tier": "1"})
    web["ports"] = [{"first": 8000, "last": 8099}, {"first": 80}]
    labels = {"env": "prod", "a": ""}
    sources = {"allowed_sources": ["192.0.2.0/24"]}
    body = {"name": unique("v4"), **v4, **sources, "labels": labels, "listeners": [web]}
    vip = owner.post("/v1/vips", body)
    second = [listener("b", 1, "fd00:20::1"), listener("a", 2)]
    dual = owner.post("/v1/vips", {"name": unique("v6"), **v6, "listeners": second})
    checked = {
        "kind": "https",
        "port": 443,
        "interval_s": 0.5,
        "timeout_s": 0.5,
        "http": {"path": "/health"},
    }
    pool = owner.post("/v1/pools", {"name": unique("p"), "monitor": checked})
    both = {"vip_id": vip["id"], "dual_vip_id": dual["id"], "pool_id": pool["id"]}
    owner.post("/v1/listeners", {"name": "both", "protocol": "udp", "all_ports": True, **both})
    owner.post("/v1/vips", {"name": unique("none"), **v4})
    tenant = {"name": unique("t"), "quotas": {"vips": 2}}
    tenant_id = site.admin.post("/v1/tenants", tenant)["id"]
    prefix = {"prefix": "2001:db8::/64", "reserved": ["2001:db8::/127"], "tenant_ids": [tenant_id]}
    inside = {"cluster_id": site.cluster["id"]}
    site.admin.post("/v1/address-pools", {"name": unique("p"), **inside, **prefix})
    token = {"name": unique("t"), "role": "reader", "tenant_id": tenant_id}
    site.admin.post("/v1/tokens", {**token, "expires_at": "2031-01-01T00:00:00Z"})
    site.admin.post("/v1/backend-hosts", {"name": unique("h"), "addresses": ["10.0.20.1", "::1"]})


@pytest.fixture(scope="module")
def filled(server: LiveServer, admin: ApiClient) -> None:
    with make_site(server, admin) as site:
        fill(site)


@pytest.mark.parametrize("kind", WRITABLE)
async def test_the_text_of_a_row_is_what_its_model_would_write(
    server: LiveServer, filled: None, kind: type[Resource]
) -> None:
    model = ROWS[kind]
    expression = documents.expression(kind, model)
    assert expression is not None
    database = Database(server.dsn)
    async with database.autocommit() as session:
        rows = (
            (await session.scalars(select(model).options(*LOADED_TOO.get(kind, ())))).unique().all()
        )
        query = select(model.id, literal_column(expression, Text()))
        texts = {row.id: row[1] for row in await session.execute(query)}
    await database.close()

    assert rows
    for row in rows:
        shown = kind.model_validate(row)
        assert list(json.loads(texts[row.id]).items()) == list(
            shown.model_dump(mode="json").items()
        )


def test_every_kind_that_tenants_list_is_written_by_postgres() -> None:
    owned = {kind for kind, model in ROWS.items() if issubclass(model, models.Owned)}

    assert owned <= set(WRITABLE)
    assert (
        operators.Cluster not in WRITABLE
    )  # its marks are computed: the reason for the other path
    assert tenants.Vip in owned
