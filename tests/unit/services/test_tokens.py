import hashlib
import re
from pathlib import Path

import pytest

from lbaas.errors import Unauthenticated
from lbaas.services.tokens import _write_private, new_secret, parse_secret


def test_a_token_has_a_prefix_and_256_bits() -> None:
    token = str(new_secret())

    assert re.fullmatch(r"lbaas_[0-9A-Za-z]{8}_[0-9A-Za-z_-]{43}", token)


def test_a_token_is_found_again_in_its_text() -> None:
    secrets = [new_secret() for _ in range(200)]  # some hold the separator themselves

    assert [parse_secret(str(secret)) for secret in secrets] == secrets


def test_what_is_kept_is_the_hash_of_the_secret_part() -> None:
    secret = new_secret()

    assert secret.sha256 == hashlib.sha256(str(secret)[15:].encode()).digest()


@pytest.mark.parametrize(
    "text", ["", "lbaas_", "lbaas_abcdefgh_short", "Lbaas_abcdefgh_" + "x" * 43, "lbaas_a_b_c"]
)
def test_what_is_no_token_opens_nothing(text: str) -> None:
    with pytest.raises(Unauthenticated):
        parse_secret(text)


def test_a_secret_file_is_readable_by_its_owner_alone_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "token"

    _write_private(path, "first\n")
    _write_private(path, "second\n")

    assert path.read_text() == "second\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["token"]
