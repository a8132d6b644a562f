"""The command line against a live server: as a tenant, as an operator, from an empty profile."""

import json
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lbaas import main
from lbaas.cli import completing
from tests.integration.server.conftest import (
    Json,
    LiveServer,
    Site,
    cluster_state,
    fetch,
    unique,
)

SECTION = """
pools:
  - name: api
    members: [10.0.20.21, "10.0.20.22,weight=3"]
    monitor: {kind: tcp, interval_s: 2}
vips:
  - name: api
    address_pool: %(pool)s
    labels: {env: prod}
    listeners:
      - {name: https, protocol: tcp, ports: [443, 8443-8449], pool: api}
      - {name: dns, protocol: udp, ports: [53], pool: {members: [10.0.20.23]}}
"""


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Said]


@pytest.fixture
def lbaas(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    """``lbaas …`` in this process, with a home of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("LBAAS_SERVER_URL", "LBAAS_TOKEN", "LBAAS_TOKEN_FILE", "LBAAS_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, code: int = 0) -> Said:
        monkeypatch.setattr(sys, "argv", ["lbaas", *arguments])
        ended = 0
        with suppress(SystemExit):
            try:
                main.main()
            except SystemExit as end:
                ended = int(end.code or 0)
        said = Said(ended, *capsys.readouterr())
        assert said.code == code, said
        return said

    return run


@pytest.fixture
def tenant(lbaas: Run, site: Site, tmp_path: Path) -> Run:
    """The same, logged in as the site's tenant."""
    return _logged_in(lbaas, site, tmp_path, role="member", tenant_id=site.tenant["id"])


@pytest.fixture
def operator(lbaas: Run, server: LiveServer, tmp_path: Path) -> Run:
    """The same, logged in as the operator."""
    lbaas("login", server.url, "--token-file", str(server.data_dir / "admin-token"))
    return lbaas


def _logged_in(lbaas: Run, site: Site, tmp_path: Path, **bearer: str) -> Run:
    token = site.admin.post("/v1/tokens", {"name": "cli", **bearer})["token"]
    file = tmp_path / "token"
    file.write_text(token)
    lbaas("login", site.server.url, "--token-file", str(file))
    return lbaas


def make_vip(tenant: Run, site: Site, name: str = "web") -> Json:
    members = ("--member", "10.0.20.11", "--member", "10.0.20.12,weight=2")
    where = ("--address-pool", site.v4["id"])
    made: Json = tenant(
        "vip", "create", name, "--listener", "http=tcp/80,8000-8099", *members, *where, "-o", "json"
    ).json
    return made


def test_a_login_is_kept_for_its_owner_only_and_says_who_it_is(
    tenant: Run, site: Site, tmp_path: Path
) -> None:
    assert tenant("whoami").out == f"tenant {site.tenant['name']} at {site.server.url}\n"
    kept = tmp_path / "config/lbaas/profiles.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.chmod(0o644)
    assert "chmod 600" in tenant("vip", "list", code=4).err
    kept.chmod(0o600)
    tenant("logout")
    assert "lbaas login URL" in tenant("vip", "list", code=4).err


def test_a_token_that_does_not_hold_is_not_kept(lbaas: Run, site: Site, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("lbaas_wrong")
    said = lbaas("login", site.server.url, "--token-file", str(tmp_path / "token"), code=4)
    assert "log in anew" in said.err
    assert not (tmp_path / "config").exists()


def test_a_vip_is_made_shown_changed_and_removed(tenant: Run, site: Site) -> None:
    made = make_vip(tenant, site)
    assert [listener["name"] for listener in made["listeners"]] == ["http"]
    assert tenant("member", "list", "web-http", "-o", "json").json[1]["weight"] == 2
    assert "http=tcp/80,8000-8099" in tenant("vip", "list").out
    assert tenant("vip", "show", made["address"], "-o", "yaml").out.startswith(f"id: {made['id']}")

    tenant("vip", "set", "web", "--label", "env=prod", "--label", "tier=1")
    tenant("vip", "set", "web", "--label", "tier-")
    assert tenant("vip", "show", "web", "-o", "json").json["labels"] == {"env": "prod"}
    assert tenant("vip", "list", "-l", "env=prod", "-o", "json").json[0]["name"] == "web"
    assert tenant("vip", "list", "-l", "!env", "-o", "json").json == []

    assert "used by listener http" in tenant("vip", "delete", "web", code=5).err
    tenant("vip", "delete", "web", "--cascade")
    tenant("vip", "show", "web", code=3)


def test_a_part_of_an_object_is_changed_and_the_rest_of_it_stays(tenant: Run) -> None:
    tenant("pool", "create", "web", "--monitor-kind", "http", "--monitor-http-path", "/health")
    tenant("pool", "set", "web", "--monitor-interval-s", "7")
    monitor = tenant("pool", "show", "web", "-o", "json").json["monitor"]
    assert (monitor["interval_s"], monitor["http"]["path"]) == (7, "/health")
    tenant("pool", "set", "web", "--unset", "monitor")
    assert tenant("pool", "show", "web", "-o", "json").json["monitor"] is None


def test_a_dry_run_prints_the_plan_and_changes_nothing(tenant: Run, site: Site) -> None:
    make_vip(tenant, site)
    assert (
        tenant("pool", "set", "web-http", "--scheduler", "sh", "--dry-run").out
        == "  scheduler: mh → sh\n"
    )
    assert (
        "admin_state: active → drained"
        in tenant("member", "drain", "web-http", "10.0.20.11", "--dry-run").out
    )
    removed = tenant("vip", "delete", "web", "--cascade", "--dry-run").out
    assert [line.split(" (")[0] for line in removed.splitlines()] == [
        "- listener http",
        "- vip web",
    ]
    planned = tenant(
        "member", "replace", "web-http", "10.0.20.12,weight=5", "10.0.20.13", "--dry-run"
    )
    assert planned.out.splitlines() == [
        "- member 10.0.20.11",
        "+ member 10.0.20.13",
        "~ member 10.0.20.12",
        "  weight: 2 → 5",
    ]
    assert tenant("pool", "show", "web-http", "-o", "json").json["scheduler"] == "mh"
    assert len(tenant("member", "list", "web-http", "-o", "json").json) == 2


def test_members_are_added_replaced_and_drained(tenant: Run) -> None:
    tenant("pool", "create", "web")
    tenant("member", "add", "web", "10.0.20.11", "10.0.20.12,weight=2")
    tenant("member", "drain", "web", "10.0.20.11")
    tenant("member", "replace", "web", "10.0.20.12,weight=9")
    (left,) = tenant("member", "list", "web", "-o", "json").json
    assert (left["address"], left["weight"], left["admin_state"]) == ("10.0.20.12", 9, "active")


def test_an_error_names_the_option_the_reason_and_ends_with_its_code(
    tenant: Run, site: Site
) -> None:
    said = tenant(
        "pool", "create", "web", "--monitor-kind", "tcp", "--monitor-interval-s", "0", code=8
    )
    assert "--monitor-interval-s (/monitor/interval_s): Input should be" in said.err
    said = tenant("pool", "create", "web", "--member", "10.9.9.9", code=8)
    assert "--member (/members/0" in said.err
    assert "backend prefixes" in said.err
    assert (
        "there is no field 'size'"
        in tenant("pool", "create", "w", "--member", "10.0.20.1,size=2", code=2).err
    )
    tenant("pool", "create", "web")
    assert "nothing to change" in tenant("pool", "set", "web", code=2).err
    assert "lbaas vip list" in tenant("vip", "show", "nix", code=3).err
    assert "for admin" in tenant("node", "list", code=4).err


def test_a_server_that_is_not_there_is_told_apart(
    lbaas: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LBAAS_SERVER_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LBAAS_TOKEN", "lbaas_x")
    assert "GET /v1/vips" in lbaas("vip", "list", code=6).err


def test_applying_a_file_twice_changes_nothing_the_second_time(
    tenant: Run, site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "api.yaml"
    file.write_text(SECTION % {"pool": site.v4["id"]})
    asked = ("apply", "-f", str(file), "--yes")
    planned = tenant(*asked, "--dry-run").out
    assert [line for line in planned.splitlines() if line.startswith("+")] == [
        "+ pool api",
        "+ pool api-dns",
        "+ vip api",
        "+ listener api/https",
        "+ listener api/dns",
    ]
    assert tenant("vip", "list", "-o", "json").json == []
    assert tenant(*asked).out == planned
    assert tenant(*asked).out == "nothing to do\n"

    tenant("member", "drain", "api", "10.0.20.21")
    assert tenant(*asked).out == "nothing to do\n"

    file.write_text(file.read_text().replace("weight=3", "weight=4").replace("prod", "test"))
    assert tenant(*asked).out.splitlines() == [
        "~ members of pool api",
        "  ~ 10.0.20.22:  weight: 3 → 4",
        "~ vip api",
        "  labels.env: prod → test",
    ]
    assert tenant(*asked).out == "nothing to do\n"
    states = {
        m["address"]: m["admin_state"] for m in tenant("member", "list", "api", "-o", "json").json
    }
    assert states["10.0.20.21"] == "drained"


def test_what_a_file_no_longer_names_is_removed_on_request_only(
    tenant: Run, site: Site, tmp_path: Path
) -> None:
    make_vip(tenant, site, "old")
    file = tmp_path / "api.yaml"
    file.write_text(SECTION % {"pool": site.v4["id"]})
    tenant("apply", "-f", str(file))
    assert tenant("apply", "-f", str(file)).out == "nothing to do\n"
    assert tenant("apply", "-f", str(file), "--prune", "-l", "keep=no").out == "nothing to do\n"
    gone = tenant("apply", "-f", str(file), "--prune").out
    assert gone.splitlines() == ["- listener old/http", "- vip old", "- pool old-http"]
    assert tenant("apply", "-f", str(file), "--prune").out == "nothing to do\n"


def test_a_file_that_can_t_be_is_refused_before_anything_is_done(
    tenant: Run, tmp_path: Path
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("pools:\n  - {name: web}\n  - {name: db, members: [10.0.20.300]}\n")
    said = tenant("apply", "-f", str(file), code=2)
    assert "pools[1] (db).members.0.address" in said.err
    assert tenant("pool", "list", "-o", "json").json == []


def test_an_operator_builds_a_site_and_drains_a_node(operator: Run) -> None:
    name = unique("edge")
    operator("cluster", "create", name, "--as-number", "65001", "--timeouts-udp-s", "60")
    operator("node", "create", "lb1", "--cluster", name, "--address", "10.0.10.11")
    operator(
        "peer",
        "create",
        "tor",
        "--cluster",
        name,
        "--address",
        "10.0.10.1",
        "--as-number",
        "65000",
        "--no-bfd",
    )
    operator("address-pool", "create", name, "--cluster", name, "--prefix", "203.0.113.0/28")
    operator("host", "create", name, "--address", "10.99.0.11")
    operator("tenant", "create", name, "--backend-prefix", "10.0.20.0/24", "--quotas-vips", "2")
    token = operator(
        "token", "create", name, "--role", "member", "--tenant", name, "-o", "json"
    ).json
    assert token["token"].startswith("lbaas_")

    node = f"{name}/lb1"
    operator("node", "drain", node)
    assert operator("node", "show", node, "-o", "json").json["admin_state"] == "drained"
    operator("node", "undrain", node)
    operator("node", "confirm-removal", node, "--revision", "1")
    operator("tenant", "suspend", name)
    operator("tenant", "set", name, "--quotas-pools", "5")
    tenant = operator("tenant", "show", name, "-o", "json").json
    assert tenant["admin_state"] == "suspended"
    assert (tenant["quotas"]["vips"], tenant["quotas"]["pools"]) == (2, 5)
    assert (
        operator("node", "list", "--filter", f"cluster={name}", "-o", "json").json[0]["name"]
        == "lb1"
    )
    assert "several nodes" in operator("node", "show", _twin(operator), code=3).err


def _twin(operator: Run) -> str:
    """The name of two nodes of two clusters."""
    twin = unique("twin")
    for _ in range(2):
        cluster = unique("c")
        operator("cluster", "create", cluster, "--as-number", "65001")
        operator("node", "create", twin, "--cluster", cluster, "--address", "10.0.10.11")
    return twin


def test_a_status_says_who_is_behind_and_ends_so(tenant: Run, site: Site) -> None:
    vip = make_vip(tenant, site)
    said = tenant("status", "web", code=7)
    assert f"web {vip['address']} is pending" in said.out
    assert [line.split()[:2] for line in said.out.splitlines()[2:4]] == [
        ["node", "lb0"],
        ["node", "lb1"],
    ]
    said = tenant("vip", "set", "web", "--label", "a=b", "--wait", "--timeout", "0", code=7)
    assert "lb0 (never reported), lb1 (never reported)" in said.err
    assert "never reported" in tenant("watch", "web", "--times", "1").out


def test_a_shell_completes_the_names_of_objects_and_without_a_server_none(
    tenant: Run, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_vip(tenant, site)
    tenant("pool", "create", "worker")
    monkeypatch.setenv("_LBAAS_COMPLETE", "complete_bash")
    monkeypatch.setattr(completing, "PATIENCE_S", 60)

    def complete(line: str) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        return tenant().out.split()

    assert complete("lbaas vip show w") == ["web"]
    assert complete("lbaas status ") == ["web"]
    assert complete("lbaas pool set ") == ["web-http", "worker"]
    assert complete("lbaas member drain web-http ") == ["10.0.20.11", "10.0.20.12"]
    assert complete("lbaas listener create x --pool wo") == ["worker"]
    assert complete("lbaas vip show --profile d") == ["default"]
    assert complete("lbaas member list nix ") == []
    monkeypatch.setenv("LBAAS_SERVER_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LBAAS_TOKEN", "lbaas_x")
    assert complete("lbaas vip show w") == []


def test_a_status_shows_members_that_fail_and_packets_that_were_refused(
    tenant: Run, site: Site
) -> None:
    vip = make_vip(tenant, site)
    state = fetch(site.node())
    (mark,) = {one.mark for one in cluster_state(state).services if str(one.vip) == vip["address"]}
    sick = {"mark": mark, "address": "10.0.20.12", "since": 1_700_000_000, "cause": "no answer"}
    refused = {"mark": mark, "source": 3, "rate": 9}
    for index, bad in enumerate(({"unhealthy": [sick], "dropped": [refused]}, {})):
        said = {"boot": str(uuid4()), "sequence": 1, "revision": state.revision, "digest": ""}
        site.node(index).post("/v1/agent/report", {**said, "changes": 0, "repaired": 0, **bad})
    rows = [line.split() for line in tenant("status", "web").out.splitlines()]
    assert ["10.0.20.12", "http", "2023-11-14T22:13:20Z", "lb0", "no", "answer"] in rows
    assert ["http", "3", "9", "0"] in rows
    assert "10.0.20.12 unhealthy on lb0" in tenant("watch", "web", "--times", "1").out


def test_events_say_who_did_what(tenant: Run, site: Site) -> None:
    vip = make_vip(tenant, site)
    (event,) = tenant("events", "--object", vip["id"], "-o", "json").json
    assert (event["action"], event["kind"], event["actor_name"]) == ("create", "vip", "cli")


def test_an_epoch_is_ended_by_whoever_has_seen_it(operator: Run) -> None:
    present = operator("epoch", "show", "-o", "json").json["id"]
    renewed = operator("epoch", "renew", present, "-o", "json").json["id"]
    assert renewed != present
    assert "not the present epoch" in operator("epoch", "renew", present, code=5).err


def test_usage_is_shown_to_people_spreadsheets_and_programs(tenant: Run, site: Site) -> None:
    vip = make_vip(tenant, site)
    count = {"point": "node", "vip": vip["id"], "packets": 5, "bytes": 700, "connections": 2}
    report = {"meter": str(uuid4()), "sequence": 1, "begun_s": int(time.time()), "ended_s": 1}
    site.node().post("/v1/agent/usage", {"reports": [report | {"totals": [count]}]})
    asked = ("usage", "show", "--vip", vip["name"], "--last", "6h", "--granularity", "month")

    people = tenant(*asked, "--by", "vip").out.splitlines()
    (program,) = tenant(*asked, "-o", "json").json
    head, row = tenant(*asked, "--csv").out.splitlines()
    compared = tenant("usage", "reconcile", "--vip", vip["name"]).out

    assert [line.split()[-4:] for line in people] == [
        ["VIP", "PACKETS", "BYTES", "CONNECTIONS"],
        [vip["name"], "5", "700", "2"],
    ]
    assert (program["direction"], program["packets"]) == ("ingress", 5)
    assert dict(zip(head.split(","), row.split(","), strict=True))["bytes"] == "700"
    assert "packets=5,bytes=700" in compared
    assert tenant("usage", "show", "--last", "soon", code=2).err
