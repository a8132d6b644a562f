"""``python -m lbaas.api.openapi`` writes openapi/openapi.json."""

import json
from pathlib import Path

from lbaas.api.app import create_app


def render() -> str:
    """The API's description as it is committed."""
    return json.dumps(create_app().openapi(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path("openapi/openapi.json").write_text(render())
