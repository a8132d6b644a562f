"""BIRD's configuration files for the router and, as far as the lab goes, for the nodes. Pure."""

from lbaas.lab.topology import NODES_AS, ROUTER_AS, SEGMENTS, VIPS4, VIPS6, Machine, Role, Topology

# Without these short timers a session that was lost comes back after 57 to 90 s.
TIMERS = """\
  hold time 9; keepalive time 3;
  connect delay time 1; connect retry time 2;
  error wait time 1, 3; error forget time 10;"""


def router_config(topology: Topology, log: str) -> str:
    """The router: one passive BGP session per node and family, ECMP into the kernel, BFD.

    Only host routes inside the VIP ranges are accepted, as any careful upstream would do.
    """
    segment = SEGMENTS[Role.NODE]
    return f"""\
log "{log}" all;
router id {segment.gateway4};
protocol device {{ scan time 2; }}
protocol bfd {{
  interface "{segment.name}" {{
    min rx interval {topology.bfd_interval_ms} ms; min tx interval {topology.bfd_interval_ms} ms;
    idle tx interval 500 ms; multiplier {topology.bfd_multiplier};
  }};
}}
protocol kernel kernel4 {{ ipv4 {{ import none; export where source = RTS_BGP; }}; merge paths on limit 32; }}
protocol kernel kernel6 {{ ipv6 {{ import none; export where source = RTS_BGP; }}; merge paths on limit 32; }}
filter vips4 {{ if net ~ [ {VIPS4}{{32,32}} ] then accept; reject; }}
filter vips6 {{ if net ~ [ {VIPS6}{{128,128}} ] then accept; reject; }}
template bgp node {{
  local as {ROUTER_AS}; passive on; bfd on;
{TIMERS}
}}
{"".join(_sessions(node) for node in topology.of(Role.NODE))}"""


def _sessions(node: Machine) -> str:
    segment = node.segment
    return f"""\
protocol bgp {node.name}_4 from node {{
  local {segment.gateway4}; neighbor {node.address4} as {NODES_AS};
  ipv4 {{ import filter vips4; export none; }};
}}
protocol bgp {node.name}_6 from node {{
  local {segment.gateway6}; neighbor {node.address6} as {NODES_AS};
  ipv6 {{ import filter vips6; export none; }};
}}
"""


def node_config(node: Machine, log: str, include: str) -> str:
    """What an operator writes on a node; all else is the node agent's, in files that *include* matches.

    BIRD accepts a glob that matches no file, so it starts before the agent has written anything.
    """
    return f"""\
log "{log}" all;
router id {node.address4};
protocol device {{ scan time 2; }}
include "{include}";
"""
