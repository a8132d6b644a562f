"""The collection under the real Ansible, against a live server: the playbook of docs/ansible.md, twice, and its end."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lbaas.client.api import ApiClient

from .conftest import Site

TOP = Path(__file__).parents[3]
PLAYBOOK = re.compile(r"^```yaml playbook\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
RECAP = re.compile(r"localhost\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=0\s+failed=(\d+)")
AWAY = """
- name: away
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - lbaas.lbaas.pool: {name: web, state: absent}
      register: refused
      ignore_errors: true
    - ansible.builtin.assert:
        that: refused is failed and "used by listener http" in refused.msg
    - lbaas.lbaas.vip: {name: shop, state: absent}
    - lbaas.lbaas.member: {pool: web, address: 10.0.20.12, state: absent}
    - lbaas.lbaas.pool: {name: web, state: absent}
    - lbaas.lbaas.pool: {name: web, state: absent}
      register: again
    - ansible.builtin.assert:
        that: again is not changed
"""

Play = Callable[..., str]


@pytest.fixture
def play(site: Site, tmp_path: Path) -> Play:
    """Runs a playbook as the site's tenant; what Ansible printed."""
    program = Path(sys.executable).with_name("ansible-playbook")
    if not program.exists():
        pytest.skip("no ansible-core here: scripts/setup installs it with the tests' packages")
    collections = tmp_path / "collections"
    shutil.copytree(TOP / "ansible", collections / "ansible_collections/lbaas/lbaas")
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "LBAAS_SERVER_URL": site.server.url,
        "LBAAS_TOKEN": site.admin.post(
            "/v1/tokens", {"name": "ansible", "role": "member", "tenant_id": site.tenant["id"]}
        )["token"],
        "PYTHONPATH": str(TOP),
    }

    def run(playbook: str, *options: str) -> str:
        (tmp_path / "play.yaml").write_text(playbook)
        done = subprocess.run(
            [program, *options, "play.yaml"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def changed(said: str) -> int:
    found = RECAP.search(said)
    assert found is not None, said
    assert found[3] == "0"
    return int(found[2])


def weights(member: ApiClient) -> dict[str, tuple[int, str]]:
    (pool,) = member.get("/v1/pools")["items"]
    found = member.get(f"/v1/pools/{pool['id']}/members")["items"]
    return {one["address"]: (one["weight"], one["admin_state"]) for one in found}


def test_the_pages_playbook_does_what_it_says_once_shows_drift_and_all_goes_again(
    play: Play, site: Site
) -> None:
    (playbook,) = PLAYBOOK.findall((TOP / "docs/ansible.md").read_text())
    # Other sites' pools have the same addresses: this one's is asked for by its id.
    playbook = playbook.replace(
        "name: shop\n", f"name: shop\n        address_pool: {site.v4['id']}\n"
    )
    member = site.member()

    assert changed(play(playbook)) == 3
    (vip,) = member.get("/v1/vips")["items"]
    (listener,) = vip["listeners"]
    assert [span["last"] for span in listener["ports"]] == [80, 8099]
    assert weights(member) == {"10.0.20.11": (1, "drained"), "10.0.20.12": (2, "active")}

    drifted = playbook.replace("weight: 2", "weight: 7").replace("env: prod", "env: test")
    said = play(drifted, "--check", "--diff")
    assert changed(said) == 2
    assert re.search(r'^-.*"env": "prod"', said, re.MULTILINE)
    assert re.search(r'^\+.*"weight": 7', said, re.MULTILINE)
    assert weights(member)["10.0.20.12"] == (2, "active")

    # An Ansible takes seconds to start: what is asked of one is asked together.
    again, away = play(playbook + AWAY).split("PLAY [away]")
    assert again.count("ok: [localhost]") == 4
    assert away.count("changed: [localhost]") == 3
    assert member.get("/v1/vips")["items"] == member.get("/v1/pools")["items"] == []
