"""The module ``lbaas.lbaas.pool``."""

DOCUMENTATION = r"""
module: pool
short_description: A pool of members
description:
  - How members are chosen, reached and checked, and who they are.
  - What a task leaves out is left as it is.
extends_documentation_fragment: lbaas.lbaas.connection
options:
  name:
    description: Its name.
    type: str
    required: true
  state:
    description: Whether it is to be there. A pool that a listener uses can't go.
    type: str
    choices: [present, absent]
    default: present
  members:
    description:
      - All of its members. Left out, members are left alone; use M(lbaas.lbaas.member) for single ones.
      - What is left out of a member that stays, like a drain, is left as it is.
    type: list
    elements: dict
    suboptions:
      address:
        description: Where packets reach it.
        type: str
        required: true
      weight:
        description: How many flows it gets, in proportion to the others.
        type: int
      node:
        description: The name of the node on whose own machine it is, where pools are local.
        type: str
      labels:
        description: Its labels.
        type: dict
  scheduler:
    description: How a member is chosen for a new flow.
    type: str
    choices: [mh, sh, rr, wrr, lc, wlc]
  forwarding:
    description: How packets reach members.
    type: str
    choices: [tunnel, direct]
  encapsulation:
    description: What a tunnel wraps packets in.
    type: str
    choices: [ipip, gue, gre]
  gue_port:
    description: Where hosts take in gue.
    type: int
  hash_ports:
    description: Whether C(mh) and C(sh) hash the source port beside the address.
    type: bool
  persistence_s:
    description: So many seconds a client stays with its member.
    type: int
  drain_deadline_s:
    description: So many seconds after it was drained a member loses the flows it still has.
    type: int
  quorum:
    description: With fewer healthy members a listener counts as having none.
    type: int
  local:
    description: Whether a node sends only to the members on its own machine, and announces only while it has one.
    type: bool
  monitor:
    description: The health check, with the fields that the API has for it, like C(kind) and C(interval_s).
    type: dict
  labels:
    description: Its labels.
    type: dict
"""

EXAMPLES = r"""
- name: Two web servers, checked by HTTP
  lbaas.lbaas.pool:
    name: web
    monitor: {kind: http, interval_s: 2, http: {path: /health}}
    members:
      - {address: 10.0.20.11}
      - {address: 10.0.20.12, weight: 2}
"""

RETURN = r"""
pool:
  description: The pool as the API shows it; null if it is not there.
  returned: success
  type: dict
steps:
  description: What was changed, or in check mode would have been, in words.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from lbaas.ansible.options import argument_spec
from lbaas.ansible.tasks import run


def main() -> None:
    run(AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True), "pool")


if __name__ == "__main__":
    main()
