"""What the REST client makes of answers."""

import httpx
import pytest

from lbaas.client.api import ApiClient, ApiProblem
from lbaas.errors import ServerUnavailable


def client(answer: httpx.Response) -> ApiClient:
    return ApiClient("http://server", "secret", transport=httpx.MockTransport(lambda _: answer))


def test_an_object_is_its_json_and_nothing_is_an_empty_one() -> None:
    assert client(httpx.Response(200, json={"id": "x"})).get("/v1/vips/x") == {"id": "x"}
    assert client(httpx.Response(204)).delete("/v1/vips/x") == {}


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff"])
def test_a_garbled_answer_is_none_and_says_what_came(body: bytes) -> None:
    with pytest.raises(ServerUnavailable, match="GET /v1/vips: not a JSON object"):
        client(httpx.Response(200, content=body)).get("/v1/vips")


def test_a_problem_is_raised_with_what_it_says() -> None:
    body = {"title": "In use", "detail": "VIP web has listeners", "type": "/errors/in-use"}
    with pytest.raises(ApiProblem, match="409 In use: VIP web has listeners") as caught:
        client(httpx.Response(409, json=body)).delete("/v1/vips/x")
    assert (caught.value.status, caught.value.problem) == (409, body)


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"[]"])
def test_an_error_that_a_proxy_wrote_is_a_problem_too(body: bytes) -> None:
    with pytest.raises(ApiProblem, match="502 Bad Gateway"):
        client(httpx.Response(502, content=body)).get("/v1/vips")


def test_no_answer_is_said_so() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    unreachable = ApiClient("http://server", "secret", transport=httpx.MockTransport(refuse))
    with pytest.raises(ServerUnavailable, match="GET /v1/vips: refused"):
        unreachable.get("/v1/vips")
