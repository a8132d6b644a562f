"""Style and script, read once, under names that change with their content: browsers keep them for good."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """One file, and how it is served."""

    body: bytes
    media_type: str

    @property
    def version(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:12]


def _read() -> Mapping[str, Asset]:
    return {
        path.name: Asset(path.read_bytes(), MEDIA_TYPES[path.suffix])
        for path in FOLDER.iterdir()
        if path.suffix in MEDIA_TYPES
    }


ASSETS = _read()


def url(name: str) -> str:
    """Where *name* is, in its present version."""
    return f"/portal/static/{ASSETS[name].version}/{name}"


async def serve(request: Request) -> Response:
    """The asset that the path names, whatever version was asked for."""
    asset = ASSETS.get(request.path_params["name"])
    if asset is None:
        raise HTTPException(404)
    headers = {"Cache-Control": FOR_GOOD}
    return Response(asset.body, media_type=asset.media_type, headers=headers)
