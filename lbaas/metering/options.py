"""Command-line options of metering, which both agents have."""

from typing import Annotated

import typer

from lbaas.dataplane.usage.desired import Bits

MeterPrefix4 = Annotated[
    int,
    typer.Option(
        envvar="LBAAS_METER_PREFIX4", min=0, max=32, help="Clients are counted by IPv4 prefix."
    ),
]
MeterPrefix6 = Annotated[
    int,
    typer.Option(
        envvar="LBAAS_METER_PREFIX6", min=0, max=128, help="Clients are counted by IPv6 prefix."
    ),
]
MeterPeriod = Annotated[
    int,
    typer.Option(envvar="LBAAS_METER_PERIOD_S", min=1, help="Seconds that a usage report covers."),
]
Metered = Annotated[
    bool, typer.Option("--meter/--no-meter", envvar="LBAAS_METER", help="Count what flows.")
]


def bits(prefix4: int, prefix6: int) -> Bits:
    """The lengths of prefixes by family."""
    return {4: prefix4, 6: prefix6}
