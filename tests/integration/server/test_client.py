"""docs/client.md's examples hold against a live server."""

import re
from pathlib import Path

from .conftest import Site

PAGE = Path(__file__).parents[3] / "docs" / "client.md"
EXAMPLE = re.compile(r"^```python run\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def test_the_pages_examples_run(site: Site) -> None:
    token = site.admin.post(
        "/v1/tokens", {"name": "doc", "role": "member", "tenant_id": site.tenant["id"]}
    )["token"]
    examples = EXAMPLE.findall(PAGE.read_text())
    assert len(examples) == 8
    reader = {"URL": site.server.url, "TOKEN": token, "ADDRESS_POOL": site.v4["id"]}
    exec("".join(examples), reader)  # noqa: S102 - the page's own text is what is tested
