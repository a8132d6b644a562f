"""The sheets of what operators have: a table of fields, with a word to whoever fills them in."""

from lbaas.portal.sheets import Entry, Kind, Sheet

NAME = Entry("name", "Name", hint="Letters, digits, dots and dashes.")
CLUSTER = Entry("cluster_id", "Cluster", Kind.CHOICE, options="clusters", fixed=True)
ADDRESSES = "One of each family, or more, with commas."
DEFAULT = "The default if empty."

CLUSTERS = Sheet(
    "clusters",
    "cluster",
    "nodes",
    "A set of nodes that announce the same VIPs: one failure domain, one AS number.",
    (
        NAME,
        Entry("as_number", "AS number", Kind.NUMBER, "Of its nodes.", "65010", fixed=True),
        Entry(
            "marks.first",
            "First mark",
            Kind.LIMIT,
            "Firewall marks that nothing else on the nodes uses. The default if empty: 268435456, 0x10000000.",
            fixed=True,
        ),
        Entry("marks.last", "Last mark", Kind.LIMIT, DEFAULT, fixed=True),
        Entry("timeouts.tcp_s", "Idle TCP flows live, s", Kind.NUMBER, begins="900"),
        Entry("timeouts.tcp_fin_s", "Closing TCP flows live, s", Kind.NUMBER, begins="120"),
        Entry("timeouts.udp_s", "Idle UDP flows live, s", Kind.NUMBER, begins="300"),
        Entry(
            "removal_guard_percent",
            "Removal guard, %",
            Kind.NUMBER,
            "A node that would lose more of its services at once waits for your word.",
            begins="50",
        ),
        Entry(
            "connection_sync",
            "Nodes tell each other their flows",
            Kind.SWITCH,
            "So that one lives on when its node dies while a pool changes. They need a common segment.",
        ),
    ),
)
NODES = Sheet(
    "nodes",
    "node",
    "nodes",
    "A machine that takes packets for VIPs and sends them on to members.",
    (
        CLUSTER,
        NAME,
        Entry("addresses", "Addresses", Kind.WORDS, f"Its tunnels start there. {ADDRESSES}"),
        Entry(
            "admin_state",
            "State",
            Kind.CHOICE,
            options=tuple((state, state) for state in ("active", "drained", "maintenance")),
        ),
    ),
)
PEERS = Sheet(
    "peers",
    "peer",
    "peers",
    "A router that the cluster's nodes announce VIPs to, over BGP; one for each address family.",
    (
        CLUSTER,
        NAME,
        Entry("address", "Address", placeholder="192.0.2.1"),
        Entry("as_number", "AS number", Kind.NUMBER, placeholder="65000"),
        Entry("password", "Password", Kind.SECRET, "None if empty; the present one stays."),
        Entry("bfd", "BFD", Kind.SWITCH, "A dead node is noticed in under a second.", begins="on"),
        Entry("multihop", "Multihop", Kind.SWITCH, "The router is not on the nodes' segment."),
        Entry(
            "graceful_restart",
            "Graceful restart",
            Kind.SWITCH,
            "It keeps a node's routes for a while when BIRD restarts there.",
        ),
    ),
)
ADDRESS_POOLS = Sheet(
    "address-pools",
    "address pool",
    "address-pools",
    "A prefix that VIPs get their addresses from.",
    (
        NAME,
        CLUSTER,
        Entry("prefix", "Prefix", placeholder="203.0.113.0/24", fixed=True),
        Entry(
            "reserved",
            "Never given out",
            Kind.WORDS,
            "Parts of the prefix, with commas.",
            "203.0.113.0/28",
            fixed=True,
        ),
        Entry("tenant_ids", "For", Kind.SEVERAL, "Every tenant if none.", options="tenants"),
        Entry(
            "quarantine_s",
            "Addresses rest, s",
            Kind.NUMBER,
            "So long after their VIP is gone.",
            begins="60",
        ),
        Entry("communities", "BGP communities", Kind.WORDS, "With commas.", "65001:80"),
    ),
)
TENANTS = Sheet(
    "tenants",
    "tenant",
    "tenants",
    "Who owns VIPs: nobody else sees them.",
    (
        NAME,
        Entry(
            "backend_prefixes",
            "Members may live in",
            Kind.WORDS,
            "Prefixes, with commas; nowhere if empty.",
            "10.0.20.0/24, fd00:20::/64",
        ),
        Entry("quotas.vips", "VIPs, at most", Kind.LIMIT, "No limit if empty."),
        Entry("quotas.listeners", "Listeners, at most", Kind.LIMIT),
        Entry("quotas.pools", "Pools, at most", Kind.LIMIT),
        Entry("quotas.members", "Members, at most", Kind.LIMIT),
        Entry(
            "admin_state",
            "State",
            Kind.CHOICE,
            "Suspended: its VIPs are withdrawn and kept, and it may look and not touch.",
            options=(("active", "active"), ("suspended", "suspended")),
        ),
    ),
)
HOSTS = Sheet(
    "backend-hosts",
    "backend host",
    "backend-hosts",
    "A machine that members live on, with an agent that makes it ready for tunnelled packets.",
    (
        NAME,
        Entry(
            "addresses", "Addresses", Kind.WORDS, f"Where tunnelled packets reach it. {ADDRESSES}"
        ),
        Entry(
            "prefixes",
            "Pods live in",
            Kind.WORDS,
            "For a machine of Kubernetes: prefixes, with commas, in which its agent says which pods there are.",
            "10.244.7.0/24",
        ),
    ),
)
TOKENS = Sheet(
    "tokens",
    "token",
    "tokens",
    "What somebody, or an agent, proves with who it is.",
    (
        NAME,
        Entry(
            "role",
            "Role",
            Kind.CHOICE,
            options=(
                ("member", "member: a tenant's, to work with"),
                ("reader", "reader: a tenant's, to look"),
                ("node", "node: of a node's agent"),
                ("host", "host: of a backend host's agent"),
                ("admin", "admin: an operator's"),
            ),
        ),
        Entry("tenant_id", "Tenant", Kind.CHOICE, "For member and reader.", options="tenants"),
        Entry("node_id", "Node", Kind.CHOICE, "For node.", options="nodes"),
        Entry("host_id", "Backend host", Kind.CHOICE, "For host.", options="backend-hosts"),
        Entry("expires_at", "Good until the end of", Kind.DAY, "For good if empty. In UTC."),
    ),
    changeable=False,
)
SHEETS = (CLUSTERS, NODES, PEERS, ADDRESS_POOLS, TENANTS, HOSTS, TOKENS)
