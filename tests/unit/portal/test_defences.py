import pytest
from starlette.datastructures import Headers

from lbaas.portal.defences import own_request
from lbaas.portal.entrance import HOME, own_page

HERE = "portal.example"


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://proxied.example"}, True),
        ({"sec-fetch-site": "same-site", "origin": f"https://{HERE}"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": f"https://{HERE}"}, True),
        ({"origin": f"http://{HERE}"}, True),
        ({"origin": f"https://{HERE}.evil.example"}, False),
        ({"origin": f"https://{HERE}:8443"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({}, False),
    ],
)
def test_only_a_page_of_this_site_may_change_anything(
    headers: dict[str, str], *, own: bool
) -> None:
    assert own_request("POST", Headers({"host": HERE, **headers})) is own


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_whoever_links_here_may_read(method: str) -> None:
    assert own_request(method, Headers({"host": HERE, "sec-fetch-site": "cross-site"}))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_every_other_method_is_one_that_could_change_something(method: str) -> None:
    assert not own_request(method, Headers({"host": HERE}))


@pytest.mark.parametrize(
    ("path", "onward"),
    [
        ("/portal/vips?name=a", "/portal/vips?name=a"),
        ("//evil.example/portal/", HOME),
        ("https://evil.example/portal/", HOME),
        ("/portal/\\evil.example", HOME),
        ("/v1/vips", HOME),
        ("", HOME),
    ],
)
def test_the_sign_in_leads_to_a_page_of_the_portal(path: str, onward: str) -> None:
    assert own_page(path) == onward
