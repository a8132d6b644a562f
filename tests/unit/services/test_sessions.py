import pytest
from cryptography.exceptions import InvalidTag

from lbaas.services.sessions import new_cookie, seal, unseal


def test_only_its_own_cookie_opens_a_session() -> None:
    mine, other = new_cookie(), new_cookie()
    sealed = seal(mine, "lbaas_token")
    assert unseal(mine, sealed) == "lbaas_token"
    with pytest.raises(InvalidTag):
        unseal(other, sealed)


def test_what_is_kept_holds_neither_cookie_nor_token() -> None:
    cookie = new_cookie()
    sealed = seal(cookie, "lbaas_token")
    kept = sealed.cookie_sha256 + sealed.token
    assert cookie.encode() not in kept
    assert b"lbaas_token" not in kept
