"""The module ``lbaas.lbaas.vip``."""

DOCUMENTATION = r"""
module: vip
short_description: A virtual IP address and its listeners
description:
  - An address that clients reach, and which of its ports go to which pools.
  - What a task leaves out is left as it is.
extends_documentation_fragment: lbaas.lbaas.connection
options:
  name:
    description: Its name.
    type: str
    required: true
  state:
    description: Whether it is to be there. Its listeners go with it, their pools stay.
    type: str
    choices: [present, absent]
    default: present
  listeners:
    description: All of its listeners. Left out, they are left alone.
    type: list
    elements: dict
    suboptions:
      name:
        description: Its name, unique within the VIP.
        type: str
        required: true
      protocol:
        description: Of the packets that it takes.
        type: str
        choices: [tcp, udp, sctp]
        required: true
      ports:
        description: Single ports and ranges, like C(8000-8099).
        type: list
        elements: str
      all_ports:
        description: Every port, instead of O(listeners[].ports).
        type: bool
      pool:
        description: The name or id of the pool that its packets go to.
        type: str
        required: true
      allowed_sources:
        description: Prefixes that may come; anybody if empty.
        type: list
        elements: str
      labels:
        description: Its labels.
        type: dict
  family:
    description: 4 or 6, when the VIP is made.
    type: int
    choices: [4, 6]
  address:
    description: A certain address, when the VIP is made; any free one if left out.
    type: str
  address_pool:
    description: The id of the pool that the address comes from, when the VIP is made.
    type: str
  allowed_sources:
    description: Prefixes that may come; anybody if empty.
    type: list
    elements: str
  new_connections_per_source:
    description: So many a second from one source address.
    type: int
  when_no_backend:
    description: What becomes of a listener none of whose members is well.
    type: str
    choices: [withdraw, reject, send_to_all]
  labels:
    description: Its labels.
    type: dict
  wait:
    description: Whether to wait until every node and backend host has applied it.
    type: bool
    default: true
  wait_timeout:
    description: How many seconds, before the task fails.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: The shop's address, on two ports
  lbaas.lbaas.vip:
    name: shop
    listeners:
      - {name: http, protocol: tcp, ports: ["80", "443"], pool: web}
  register: shop

- name: Say where it is
  ansible.builtin.debug:
    var: shop.vip.address
"""

RETURN = r"""
vip:
  description: The VIP as the API shows it; null if it is not there.
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
    run(AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True), "vip")


if __name__ == "__main__":
    main()
