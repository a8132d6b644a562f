"""The provider under the real Terraform, offline, against a live server."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import Site, unique

LAUNCHER = "#!/bin/sh\nexec {python} -m lbaas.terraform\n"
PLUGIN = (
    "plugins/registry.terraform.io/lbaas/lbaas/0.1.0/linux_amd64/terraform-provider-lbaas_v0.1.0"
)
HEAD = """
terraform {
  required_providers {
    lbaas = { source = "lbaas/lbaas", version = "0.1.0" }
  }
}
provider "lbaas" { wait_s = 0 }
"""
SHOP = """
resource "lbaas_pool" "web" {
  name      = "web"
  scheduler = "mh"
  labels    = { env = "prod" }
  monitor {
    kind       = "http"
    interval_s = 2
    http { path = "/health" }
  }
  member { address = "10.0.20.11" }
  member {
    address = "10.0.20.12"
    weight  = 2
  }
}
resource "lbaas_vip" "shop" {
  name            = "shop"
  address_pool_id = "POOL"
}
resource "lbaas_listener" "http" {
  name     = "http"
  vip_id   = lbaas_vip.shop.id
  pool_id  = lbaas_pool.web.id
  protocol = "tcp"
  ports    = ["80", "8000-8099"]
}
data "lbaas_pool" "found" {
  name       = "web"
  depends_on = [lbaas_pool.web]
}
output "address" { value = lbaas_vip.shop.address }
output "scheduler" { value = data.lbaas_pool.found.scheduler }
""".replace("member {", "members {")

Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass
class Workspace:
    """A directory with a configuration, and Terraform in it."""

    directory: Path
    environment: dict[str, str]

    def write(self, text: str) -> None:
        (self.directory / "main.tf").write_text(HEAD + text)

    def run(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def apply(self) -> str:
        return self.run("apply", "-auto-approve", "-no-color")

    def settled(self) -> None:
        """A second plan is empty."""
        self.run("plan", "-detailed-exitcode", "-no-color")


@pytest.fixture
def workspace(site: Site, tmp_path: Path) -> Workspace:
    if shutil.which("terraform") is None:  # Debian has no package of it
        pytest.skip("no terraform here: put Terraform 1.5 or newer on the PATH")
    token = site.admin.post(
        "/v1/tokens", {"name": "tf", "role": "member", "tenant_id": site.tenant["id"]}
    )["token"]
    launcher = tmp_path / PLUGIN
    launcher.parent.mkdir(parents=True)
    launcher.write_text(LAUNCHER.format(python=sys.executable))
    launcher.chmod(0o755)
    (tmp_path / "rc").write_text(
        f'provider_installation {{ filesystem_mirror {{ path = "{tmp_path}/plugins" }} }}'
    )
    (tmp_path / "work").mkdir()
    top = str(Path(__file__).parents[3])
    environment = {
        **os.environ,
        "TF_CLI_CONFIG_FILE": str(tmp_path / "rc"),
        "CHECKPOINT_DISABLE": "1",
        "LBAAS_SERVER_URL": site.server.url,
        "LBAAS_TOKEN": token,
        "PYTHONPATH": top,
        "HOME": str(tmp_path),
    }
    made = Workspace(tmp_path / "work", environment)
    made.write("")
    made.run("init", "-no-color")
    return made


def test_a_vip_is_made_changed_drifts_and_goes(workspace: Workspace, site: Site) -> None:
    shop = SHOP.replace("POOL", site.v4["id"])
    workspace.write(shop)
    workspace.apply()
    workspace.settled()
    outputs = json.loads(workspace.run("output", "-json"))
    member = site.member()
    (vip,) = member.get("/v1/vips")["items"]
    assert (outputs["address"]["value"], outputs["scheduler"]["value"]) == (vip["address"], "mh")
    (pool,) = member.get("/v1/pools")["items"]
    assert (pool["monitor"]["http"]["path"], pool["monitor"]["interval_s"]) == ("/health", 2)

    # Updated in place: the same objects.
    shop = shop.replace("/health", "/up")
    workspace.write(shop.replace("weight  = 2", "weight  = 5").replace('"prod"', '"test"'))
    assert "0 to add, 1 to change, 0 to destroy" in workspace.apply()
    workspace.settled()
    weights = {
        m["address"]: m["weight"] for m in member.get(f"/v1/pools/{pool['id']}/members")["items"]
    }
    assert weights == {"10.0.20.11": 1, "10.0.20.12": 5}
    changed = member.get(f"/v1/pools/{pool['id']}")
    assert (changed["labels"], changed["monitor"]["http"]["path"]) == ({"env": "test"}, "/up")

    # Drift is seen and repaired.
    member.patch(f"/v1/pools/{pool['id']}", {"scheduler": "sh"})
    workspace.run("plan", "-detailed-exitcode", code=2)
    workspace.apply()
    assert member.get(f"/v1/pools/{pool['id']}")["scheduler"] == "mh"

    # A protocol can't change: the listener is replaced.
    workspace.write(
        shop.replace('"tcp"', '"udp"')
        .replace("weight  = 2", "weight  = 5")
        .replace('"prod"', '"test"')
    )
    assert "1 to add, 0 to change, 1 to destroy" in workspace.apply()

    workspace.run("destroy", "-auto-approve")
    assert member.get("/v1/vips")["items"] == []
    assert member.get("/v1/pools")["items"] == []


def test_an_object_that_is_there_is_imported(workspace: Workspace, site: Site) -> None:
    made = site.member().post("/v1/pools", {"name": "old", "scheduler": "sh"})
    workspace.write('resource "lbaas_pool" "old" {\n  name = "old"\n  scheduler = "sh"\n}\n')
    workspace.run("import", "lbaas_pool.old", made["id"])
    workspace.settled()


FLEET = """
resource "lbaas_cluster" "edge" {
  name      = "NAME"
  as_number = 65010
  timeouts { udp_s = 60 }
}
resource "lbaas_node" "lb1" {
  cluster_id = lbaas_cluster.edge.id
  name       = "lb1"
  addresses  = ["10.0.10.1", "fd00:10::1"]
}
resource "lbaas_peer" "tor1" {
  cluster_id = lbaas_cluster.edge.id
  name       = "tor1"
  address    = "192.0.2.1"
  as_number  = 65000
  password   = "between-us"
}
resource "lbaas_address_pool" "public" {
  cluster_id = lbaas_cluster.edge.id
  name       = "NAME"
  prefix     = "203.0.113.0/24"
  reserved   = ["203.0.113.0/28"]
}
resource "lbaas_token" "lb1" {
  name    = "NAME"
  role    = "node"
  node_id = lbaas_node.lb1.id
}
resource "lbaas_tenant" "shop" {
  name             = "NAME"
  backend_prefixes = ["10.0.20.0/24"]
  quotas { vips = 5 }
}
resource "lbaas_pool" "web" {
  name      = "web"
  tenant_id = lbaas_tenant.shop.id
}
resource "lbaas_member" "first" {
  pool_id = lbaas_pool.web.id
  address = "10.0.20.11"
  weight  = 3
}
data "lbaas_cluster" "found" {
  name       = "NAME"
  depends_on = [lbaas_cluster.edge]
}
output "as_number" { value = data.lbaas_cluster.found.as_number }
output "member" { value = "${lbaas_pool.web.id}/${lbaas_member.first.id}" }
output "token" {
  value     = lbaas_token.lb1.token
  sensitive = true
}
"""


def test_operators_resources_are_made_settled_changed_imported_and_gone(
    workspace: Workspace, site: Site
) -> None:
    workspace.environment["LBAAS_TOKEN"] = site.server.admin_token
    name = unique("tf")
    fleet = FLEET.replace("NAME", name)
    workspace.write(fleet)
    workspace.apply()
    outputs = json.loads(workspace.run("output", "-json"))
    (cluster,) = site.admin.get("/v1/clusters", name=name)["items"]
    assert (outputs["as_number"]["value"], cluster["timeouts"]["udp_s"]) == (65010, 60)
    assert outputs["token"]["value"].startswith("lbaas_")
    (peer,) = site.admin.get("/v1/peers", cluster_id=cluster["id"])["items"]
    assert (peer["has_password"], peer["bfd"]) == (True, True)

    # Forgotten and imported: the same object, and the plan says that nothing is left to do.
    workspace.run("state", "rm", "lbaas_member.first")
    workspace.run("import", "lbaas_member.first", outputs["member"]["value"])
    workspace.settled()

    workspace.write(fleet.replace("udp_s = 60", "udp_s = 90").replace("weight  = 3", "weight  = 4"))
    assert "0 to add, 2 to change, 0 to destroy" in workspace.apply()
    assert site.admin.get(f"/v1/clusters/{cluster['id']}")["timeouts"]["udp_s"] == 90
    workspace.run("destroy", "-auto-approve")
    assert site.admin.get("/v1/clusters", name=name)["items"] == []


BAD = """
resource "lbaas_pool" "word" {
  name      = "word"
  scheduler = "nix"
}
resource "lbaas_pool" "inside" {
  name = "inside"
  members { address = "192.0.2.7" }
}
resource "lbaas_vip" "sources" {
  name            = "sources"
  address_pool_id = "POOL"
  allowed_sources = ["everywhere"]
}
resource "lbaas_pool" "patience" {
  name = "patience"
  timeouts { create = "soon" }
}
"""


def test_a_refusal_stands_at_the_line_that_it_concerns(workspace: Workspace, site: Site) -> None:
    workspace.write(BAD.replace("POOL", site.v4["id"]))
    said = workspace.run("apply", "-auto-approve", "-no-color", code=1)
    assert "/scheduler: Input should be 'mh'" in said
    assert 'scheduler = "nix"' in said
    assert "/members/0/address: 192.0.2.7 is not in the tenant's backend prefixes" in said
    assert 'allowed_sources = ["everywhere"]' in said
    assert "'soon' is no duration" in said


def test_a_resource_may_have_more_patience_than_the_provider(
    workspace: Workspace, site: Site
) -> None:
    patient = SHOP.replace("POOL", site.v4["id"]).replace(
        'protocol = "tcp"', 'protocol = "tcp"\n  timeouts { create = "1s" }'
    )
    workspace.write(patient)  # the provider itself does not wait here, and no node has an agent
    said = workspace.apply()
    assert "Not programmed yet" in said
    assert "never reported" in said
    workspace.settled()
