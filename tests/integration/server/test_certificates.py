"""Agents' certificates: how they are come by, what they open, and what is refused; over the header of a proxy."""

import base64
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from sqlalchemy import update

from lbaas.agent.identity import new_key, signing_request
from lbaas.persistence.database import Database
from lbaas.persistence.models import AgentCertificate, Enrolment, Node

from .conftest import Json, LiveServer, Site, unique

POLL = {"since": 0, "timeout_s": 0}


def enrolment(site: Site, **body: object) -> Json:
    return site.admin.post(f"/v1/nodes/{site.nodes[0]['id']}/enrolments", body)


def redeem(server: LiveServer, token: str, csr: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{server.url}/v1/agent/enrolment", json={"csr": csr}, headers=headers)


def enrolled(site: Site) -> str:
    """A certificate of the site's first node, in PEM."""
    answer = redeem(site.server, enrolment(site)["token"], signing_request(new_key()))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["certificate"])


def as_nginx(certificate: str) -> dict[str, str]:
    return {"Client-Cert": quote(certificate)}


def as_rfc9440(certificate: str) -> dict[str, str]:
    der = ssl.PEM_cert_to_DER_cert(certificate)
    return {"Client-Cert": f":{base64.b64encode(der).decode()}:"}


def poll(server: LiveServer, headers: dict[str, str]) -> httpx.Response:
    return httpx.get(f"{server.url}/v1/agent/state", params=POLL, headers=headers)


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"]


def test_a_certificate_opens_what_the_nodes_token_does(site: Site) -> None:
    certificate = enrolled(site)

    for header in (as_nginx, as_rfc9440):
        answer = poll(site.server, header(certificate))
        assert answer.status_code == 200, answer.text
        assert answer.headers["LBaaS-Agent"] == site.nodes[0]["id"]
    shown = site.admin.get(f"/v1/nodes/{site.nodes[0]['id']}")["certificate_expires_at"]
    ends = x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc
    assert datetime.fromisoformat(shown) == ends


def test_it_names_the_node_and_holds_from_before_now_on_for_clocks_that_differ(site: Site) -> None:
    made = x509.load_pem_x509_certificate(enrolled(site).encode())

    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    [name] = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert name == f"spiffe://lbaas/node/{site.nodes[0]['id']}"
    assert made.not_valid_before_utc < datetime.now(UTC) - timedelta(minutes=30)
    usage = made.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not usage.ca


def test_a_host_is_enrolled_alike(site: Site) -> None:
    host = site.admin.post(
        "/v1/backend-hosts", {"name": unique("h"), "addresses": [f"fd00:31::{unique('')[-4:]}"]}
    )
    made = site.admin.post(f"/v1/backend-hosts/{host['id']}/enrolments", {})

    answer = redeem(site.server, made["token"], signing_request(new_key()))

    headers = as_nginx(answer.json()["certificate"])
    assert poll(site.server, headers).headers["LBaaS-Agent"] == host["id"]
    shown = site.admin.get(f"/v1/backend-hosts/{host['id']}")
    assert shown["certificate_expires_at"] is not None


def test_a_token_is_good_for_one_key_and_again_for_the_same(site: Site) -> None:
    token, csr = enrolment(site)["token"], signing_request(new_key())
    first = redeem(site.server, token, csr).json()["certificate"]

    again = redeem(site.server, token, csr)
    other = redeem(site.server, token, signing_request(new_key()))

    assert again.status_code == 201
    assert problem(other) == (401, "/errors/unauthenticated")
    assert "was used at" in other.json()["detail"]
    assert poll(site.server, as_nginx(again.json()["certificate"])).status_code == 200
    assert (
        poll(site.server, as_nginx(first)).status_code == 401
    )  # nobody has it: its answer was lost


async def _changed(server: LiveServer, statement: object) -> None:
    database = Database(server.dsn)
    async with database.session() as session, session.begin():
        await session.execute(statement)  # type: ignore[call-overload]  # any statement
    await database.close()


@pytest.mark.anyio
async def test_an_expired_token_and_one_that_was_replaced_open_nothing(site: Site) -> None:
    replaced, expired = enrolment(site)["token"], enrolment(site)
    past = datetime.now(UTC) - timedelta(seconds=1)
    over = update(Enrolment).where(Enrolment.id == expired["id"]).values(expires_at=past)
    await _changed(site.server, over)

    for token, why in ((replaced, "replaced"), (expired["token"], "expired"), ("lbaas_x", "token")):
        answer = redeem(site.server, token, signing_request(new_key()))
        assert problem(answer) == (401, "/errors/unauthenticated")
        assert why in answer.json()["detail"]


def pem_of(request: x509.CertificateSigningRequest) -> str:
    return request.public_bytes(serialization.Encoding.PEM).decode()


def of_rsa() -> str:
    key = rsa.generate_private_key(65537, 2048)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return pem_of(builder.sign(key, hashes.SHA256()))


def of_ed25519() -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return pem_of(builder.sign(ed25519.Ed25519PrivateKey.generate(), None))


def of_a_small_curve() -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return pem_of(builder.sign(ec.generate_private_key(ec.SECP224R1()), hashes.SHA256()))


def of_another_signature() -> str:
    text = signing_request(new_key()).replace("CERTIFICATE REQUEST", "CERTIFICATE")
    der = bytearray(ssl.PEM_cert_to_DER_cert(text))
    der[-1] ^= 1
    return ssl.DER_cert_to_PEM_cert(bytes(der)).replace("CERTIFICATE", "CERTIFICATE REQUEST")


@pytest.mark.parametrize(
    ("request_of", "why"),
    [
        (of_rsa, "elliptic curve"),
        (of_ed25519, "elliptic curve"),
        (of_a_small_curve, "elliptic curve"),
        (of_another_signature, "signature"),
        (lambda: "no request at all", "no signing request"),
        (lambda: signing_request(new_key(), ("spiffe://lbaas/node/another",)), "and you are"),
        (lambda: signing_request(new_key(), ("spiffe://lbaas/host/x", "a:b")), "and you are"),
    ],
)
def test_a_request_that_can_not_be_signed_is_refused_and_the_token_stays_good(
    site: Site, request_of: Callable[[], str], why: str
) -> None:
    token = enrolment(site)["token"]

    refused = redeem(site.server, token, request_of())

    assert problem(refused) == (422, "/errors/invalid")
    assert refused.json()["problems"][0]["pointer"] == "/csr"
    assert why in refused.json()["detail"]
    assert redeem(site.server, token, signing_request(new_key())).status_code == 201


def renew(server: LiveServer, headers: dict[str, str], csr: str) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/agent/certificate", json={"csr": csr}, headers=headers)


def test_a_certificate_is_renewed_over_itself_and_both_hold(site: Site) -> None:
    first = enrolled(site)
    name = f"spiffe://lbaas/node/{site.nodes[0]['id']}"

    answer = renew(site.server, as_nginx(first), signing_request(new_key(), (name,)))

    assert answer.status_code == 201, answer.text
    for certificate in (first, answer.json()["certificate"]):
        assert poll(site.server, as_nginx(certificate)).status_code == 200


def test_a_token_alone_renews_nothing(site: Site) -> None:
    headers = dict(site.node()._http.headers)

    answer = renew(site.server, headers, signing_request(new_key()))

    assert problem(answer) == (403, "/errors/forbidden")


def test_a_renewal_for_another_node_is_refused(site: Site) -> None:
    name = f"spiffe://lbaas/node/{site.nodes[1]['id']}"

    answer = renew(site.server, as_nginx(enrolled(site)), signing_request(new_key(), (name,)))

    assert problem(answer) == (422, "/errors/invalid")


def test_a_token_beside_a_certificate_must_be_the_same_nodes(site: Site) -> None:
    certificate = as_nginx(enrolled(site))
    own, others = (site.node(index)._http.headers["Authorization"] for index in range(2))

    assert poll(site.server, certificate | {"Authorization": own}).status_code == 200
    refused = poll(site.server, certificate | {"Authorization": others})
    assert problem(refused) == (401, "/errors/certificate-needed")
    assert "another's" in refused.json()["detail"]


def becomes(server: LiveServer, certificate: str, status: int) -> bool:
    """Sooner or later: what was revoked here is told by Postgres, to this replica as to others."""
    deadline = time.monotonic() + 60
    while (found := poll(server, as_nginx(certificate)).status_code) != status:
        if time.monotonic() > deadline:
            return False
        assert found == 200
        time.sleep(0.02)
    return True


def test_revoked_certificates_open_nothing_on_any_replica(site: Site) -> None:
    certificate = enrolled(site)
    pending = enrolment(site)["token"]
    assert poll(site.server, as_nginx(certificate)).status_code == 200

    site.admin.delete(f"/v1/nodes/{site.nodes[0]['id']}/certificates")

    assert becomes(site.server, certificate, 401)
    assert problem(redeem(site.server, pending, signing_request(new_key())))[0] == 401
    shown = site.admin.get(f"/v1/nodes/{site.nodes[0]['id']}")
    assert shown["certificate_expires_at"] is None


def test_a_machine_that_is_enrolled_anew_has_one_certificate(site: Site) -> None:
    before, after = enrolled(site), enrolled(site)

    assert becomes(site.server, before, 401)
    assert poll(site.server, as_nginx(after)).status_code == 200


@pytest.mark.anyio
async def test_an_expired_certificate_is_told_so(site: Site) -> None:
    certificate = enrolled(site)
    sha256 = x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA256())
    past = datetime.now(UTC) - timedelta(seconds=1)
    over = update(AgentCertificate).where(AgentCertificate.sha256 == sha256)
    await _changed(site.server, over.values(expires_at=past))

    answer = poll(site.server, as_nginx(certificate))

    assert problem(answer) == (401, "/errors/unauthenticated")
    assert "expired at" in answer.json()["detail"]


def test_the_agent_of_a_deleted_node_is_told_so(site: Site) -> None:
    certificate = enrolled(site)
    site.admin.delete(f"/v1/nodes/{site.nodes[0]['id']}")

    assert becomes(site.server, certificate, 410)
    assert problem(poll(site.server, as_nginx(certificate))) == (410, "/errors/gone")
    assert renew(site.server, as_nginx(certificate), signing_request(new_key())).status_code == 410


@pytest.mark.parametrize("header", ["", "nonsense", ":nonsense:", "%2D%2DBEGIN", "::"])
def test_a_header_that_is_no_certificate_opens_nothing(server: LiveServer, header: str) -> None:
    assert poll(server, {"Client-Cert": header}).status_code == 401


def test_a_header_counts_from_a_trusted_proxy_only(site: Site, replica: LiveServer) -> None:
    certificate = as_nginx(enrolled(site))

    assert poll(site.server, certificate).status_code == 200
    assert problem(poll(replica, certificate)) == (401, "/errors/unauthenticated")


def test_a_server_without_an_authority_says_so(site: Site, replica: LiveServer) -> None:
    headers = {"Authorization": f"Bearer {site.server.admin_token}"}
    path = f"/v1/nodes/{site.nodes[0]['id']}/enrolments"

    answer = httpx.post(f"{replica.url}{path}", json={}, headers=headers)

    assert problem(answer) == (409, "/errors/conflict")
    assert "lbaas ca init" in answer.json()["detail"]


def test_an_operator_sees_who_was_enrolled(site: Site) -> None:
    made = enrolment(site)
    redeem(site.server, made["token"], signing_request(new_key()))

    events = site.admin.get("/v1/events", object_id=made["id"])["items"]

    assert [(each["action"], each["actor"].partition(":")[0]) for each in events] == [
        ("create", "token"),
        ("update", "enrolment"),
    ]
    assert "lbaas-enrol" not in str(events)


def figures(server: LiveServer) -> str:
    headers = {"Authorization": f"Bearer {server.admin_token}"}
    return httpx.get(f"{server.url}/metrics", headers=headers).text


@pytest.mark.anyio
async def test_an_agent_that_should_have_renewed_is_counted_and_one_that_expired_is_explained(
    site: Site,
) -> None:
    enrolled(site)
    assert 'lbaas_agent_certificates{kind="node",state="good"}' in figures(site.server)
    assert 'lbaas_certificate_expires_timestamp_seconds{of="authority"}' in figures(site.server)
    node = UUID(site.nodes[0]["id"])
    now = datetime.now(UTC)

    for ends, state in ((now + timedelta(days=1), "overdue"), (now - timedelta(1), "expired")):
        issued = {"expires_at": ends, "issued_at": now - timedelta(days=30)}
        mine = update(AgentCertificate).where(AgentCertificate.node_id == node)
        await _changed(site.server, mine.values(issued))
        await _changed(
            site.server, update(Node).where(Node.id == node).values(certificate_expires_at=ends)
        )
        assert f'lbaas_agent_certificates{{kind="node",state="{state}"}}' in figures(site.server)

    tenant = site.member()
    vip = tenant.post("/v1/vips", {"name": unique("v"), "address_pool_id": site.v4["id"]})
    told = tenant.get(f"/v1/vips/{vip['id']}/explanation", client="192.0.2.1", port=80, timeout_s=0)
    [agent] = (hop for hop in told["hops"] if (hop["machine"], hop["stage"]) == ("lb0", "agent"))
    assert "certificate expired at" in agent["cause"]
    assert "lbaas node enrol" in agent["remedy"]
    [status, _] = tenant.get(f"/v1/vips/{vip['id']}/status")["nodes"]
    assert datetime.fromisoformat(status["certificate_expires_at"]) < now
