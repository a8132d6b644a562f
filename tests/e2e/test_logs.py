"""A write is found in the log of every machine that it came to, as docs/operators.md shows."""

import re
from functools import partial
from pathlib import Path
from uuid import uuid4

from lbaas.lab.site import Site
from lbaas.lab.topology import Role
from tests.e2e.balanced import eventually

OPERATORS = Path(__file__).parents[2] / "docs/operators.md"
WRITTEN, APPLIED = re.findall(
    r"^timestamp=.*$",
    OPERATORS.read_text().partition("```log")[2].partition("```")[0],
    re.MULTILINE,
)
KEY, EVENT = re.compile(r"(\w+)="), re.compile(r"event=\w+")


def shows(log: Path, word: str, example: str) -> bool:
    """``grep -w`` finds a line with all that *example* has."""
    alone = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
    found = (line for line in log.read_text().splitlines() if alone.search(line))
    return any(
        EVENT.findall(line) == EVENT.findall(example) and keys(example) <= keys(line)
        for line in found
    )


def keys(line: str) -> set[str]:
    return set(KEY.findall(line))


def test_one_grep_for_a_request_or_its_revision_shows_the_write_and_each_machine_it_came_to(
    site: Site,
) -> None:
    request_id = f"mine-{uuid4().hex}"
    members = [{"address": str(host.address4)} for host in site.lab.topology.of(Role.BACKEND)]
    listener = {"name": "l", "protocol": "tcp", "ports": [{"first": 80}]}
    body = {
        "name": request_id,
        "address_pool_id": str(site.inventory.pools[4]),
        "listeners": [listener | {"pool": {"members": members}}],
    }
    answer = site.tenant._http.post("/v1/vips", json=body, headers={"X-Request-Id": request_id})
    assert answer.is_success, answer.text

    revision = answer.headers["LBaaS-Revision"]
    for word in (request_id, revision):
        assert shows(site.server.log, word, WRITTEN)
        for agent in site.agents.values():
            eventually(partial(shows, agent.log, word, APPLIED))
    (event,) = [each for each in site.tenant.events(request_id=request_id) if each.kind == "vip"]
    assert event.object_name == request_id
    site.tenant.delete(f"/v1/vips/{answer.json()['id']}", cascade="true")
