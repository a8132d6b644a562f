"""One byte sequence for one document, and its digest."""

import hashlib
import json

from pydantic import BaseModel


def canonical_json(document: BaseModel) -> bytes:
    """The document's only encoding: sorted keys, no white space, UTF-8.

    Equal documents give equal bytes on every machine, so a digest of the bytes proves equality.
    """
    return json.dumps(
        document.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()


def digest(body: bytes) -> str:
    """``sha-256=<hex>`` of *body*: the value of the ``LBaaS-Digest`` header."""
    return "sha-256=" + hashlib.sha256(body).hexdigest()
