"""One good fact of each kind, as a run of the demo found it; tests spoil what they are about."""

from lbaas.demo.facts import (
    Attempt,
    Crossing,
    Destination,
    Exchanges,
    HeldFlow,
    Mark,
    NodeLoss,
    NodeReturn,
    NodeTables,
    Order,
    Programmed,
    Route,
    Service,
    Tables,
    Tally,
)

VIP = "198.51.100.7"
MARK = 0x10001000
MEMBERS = ("10.0.20.11", "10.0.20.12")

ORDER = Order(
    path="/v1/vips",
    request={
        "name": "shop-v4",
        "family": 4,
        "listeners": [{"name": "http", "pool": {"members": [{"address": a} for a in MEMBERS]}}],
    },
    answer={"name": "shop-v4", "address": VIP},
    elapsed_s=0.031,
)

PROGRAMMED = Programmed(
    vip=VIP,
    revision=756,
    agents={"lb1": 756, "lb2": 757, "backend1": 756, "backend2": 756},
    programmed=True,
    programmed_s=0.82,
    first_answer_s=0.39,
    unanswered=2,
)

NO_PACKET = Tally()

EXCHANGES = Exchanges(
    vip=VIP,
    client="client1",
    client_address="10.0.1.11",
    served={"backend1": 13, "backend2": 11},
    seen={"10.0.1.11": 24},
    download_bytes=1_000_000,
    errors=(),
    nodes={
        "lb1": Crossing(Tally(108, 6630), Tally(108, 8790), NO_PACKET, missed=0),
        "lb2": Crossing(Tally(50, 3270), Tally(50, 4270), NO_PACKET, missed=0),
    },
    replies=Tally(161, 1_010_000),
    replies_missed=0,
)

NODE_TABLES = NodeTables(
    marks=(Mark(VIP, "tcp", "80", MARK),),
    services=(
        Service(
            family=4,
            mark=MARK,
            scheduler="mh",
            flags="mh-fallback,mh-port",
            destinations=tuple(
                Destination(address, "tunnel", 1, 8, 40, 2616) for address in MEMBERS
            ),
        ),
    ),
)

TABLES = Tables(
    members={VIP: MEMBERS},
    routes=(Route(VIP, ("lb1", "lb2")),),
    nodes={"lb1": NODE_TABLES, "lb2": NODE_TABLES},
)

FLOWS = (
    HeldFlow(40001, "lb1", alive=True, exchanged=67, waiting_s=0, longest_stall_s=0.87),
    HeldFlow(40002, "lb2", alive=True, exchanged=83, waiting_s=0, longest_stall_s=0.05),
)

NODE_LOSS = NodeLoss(
    node="lb1",
    vip=VIP,
    watched_s=4.5,
    detection_s=0.9,
    attempts=(
        Attempt(-0.10, 0.004),
        Attempt(-0.05, 0.004),
        Attempt(0.00, 0.003),
        Attempt(0.05, 1.080),
        Attempt(0.30, 2.000, "timed out"),
        Attempt(0.64, 0.003),
        Attempt(0.70, 0.004),
    ),
    flows=FLOWS,
    route=Route(VIP, ("lb2",)),
)

NODE_RETURN = NodeReturn(
    node="lb1",
    vip=VIP,
    back_s=1.3,
    attempts=(Attempt(-0.05, 0.004), Attempt(0.0, 0.004)),
    flows=FLOWS,
)

FACTS = (ORDER, PROGRAMMED, EXCHANGES, TABLES, NODE_LOSS, NODE_RETURN)
