"""Health checks, as the API takes and shows them."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from lbaas.domain.terms import ProbeKind, ProbeTarget
from lbaas.wire.fields import Input, distinct

Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Interval = Annotated[float, Field(ge=0.1, le=3600)]
Times = Annotated[int, Field(strict=True, ge=1, le=100)]
# A header's value and a request's path: nothing that could end the line.
Visible = Annotated[str, Field(pattern=r"^[!-~]{1,255}$")]
Hex = Annotated[
    str, Field(pattern=r"^([0-9a-fA-F]{2}){0,1024}$", description="Bytes, two digits each.")
]

STATUSES = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"},
    ],
    "examples": ["200-299", 200],
}


def _statuses(value: Any) -> str:
    """One status or a range of them, as text."""
    text = str(value) if isinstance(value, int | str) else ""
    first, dash, last = text.partition("-")
    bounds = [first, last] if dash else [first]
    known = all(part.isascii() and part.isdecimal() and 100 <= int(part) <= 599 for part in bounds)
    if not known or int(bounds[0]) > int(bounds[-1]):
        raise PydanticCustomError("statuses", 'a status, like 200, or a range, like "200-299"')
    return text


Statuses = Annotated[str, PlainValidator(_statuses), WithJsonSchema(STATUSES)]


class HttpCheck(Input):
    """The request, and the answers that count as healthy. No redirect is followed."""

    method: Literal["GET", "HEAD", "OPTIONS"] = "GET"
    path: Annotated[str, Field(pattern=r"^/[!-~]{0,1023}$")] = "/"
    host: Visible | None = Field(default=None, description="The VIP's address if left out.")
    statuses: Annotated[
        tuple[Statuses, ...], Field(min_length=1, max_length=16), AfterValidator(distinct)
    ] = ("200-399",)
    body_contains: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        default=None, description="Looked for in the first 64 KiB of the body."
    )


class UdpCheck(Input):
    """The datagram, and what its answer begins with: any answer will do if that is empty."""

    payload: Hex = ""
    response: Hex = ""


class DnsCheck(Input):
    """The question. Any answer that is no error is healthy."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,253}$", examples=["example.org"])]
    record_type: Literal["A", "AAAA", "NS", "SOA", "TXT"] = "A"


class Monitor(Input):
    """How a pool's members are checked, by every node for itself."""

    kind: ProbeKind
    target: ProbeTarget = Field(
        default=ProbeTarget.VIP,
        description="vip: through the tunnel to the VIP on the member, as clients' packets go. "
        "member: to the member's own address.",
    )
    port: Port | None = Field(
        default=None,
        description="The first one of each listener if left out. A listener on all ports needs it, "
        "and icmp has none.",
    )
    interval_s: Interval = 5
    timeout_s: Interval = 2
    rise: Times = 2
    fall: Times = 3
    http: HttpCheck | None = Field(default=None, description="For http and https only.")
    udp: UdpCheck | None = Field(default=None, description="For udp only.")
    dns: DnsCheck | None = Field(default=None, description="For dns, which needs it.")

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        parts = {"http": self.http, "udp": self.udp, "dns": self.dns}
        wanted = "http" if self.kind is ProbeKind.HTTPS else self.kind
        for name, part in parts.items():
            if part is not None and name != wanted:
                raise _wrong(name, f"a monitor of kind {self.kind} has no {name}: leave it out")
        if self.kind is ProbeKind.DNS and self.dns is None:
            raise _wrong("dns", "a monitor of kind dns asks for a name: say dns.name")
        if self.kind is ProbeKind.ICMP and self.port is not None:
            raise _wrong("port", "icmp has no ports: leave it out")
        return self

    @model_validator(mode="after")
    def _ends_in_time(self) -> Self:
        """So a member has one check at a time, and has failed after *fall* intervals."""
        if self.timeout_s > self.interval_s:
            raise _wrong("timeout_s", "a check ends before the next begins: at most interval_s")
        return self


def _wrong(field: str, reason: str) -> PydanticCustomError:
    return PydanticCustomError("monitor", "{reason}", {"reason": reason, "field": field})
