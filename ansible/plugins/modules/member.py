"""The module ``lbaas.lbaas.member``."""

DOCUMENTATION = r"""
module: member
short_description: One member of a pool
description:
  - A backend in a pool, drained or not. The pool's other members are left alone.
extends_documentation_fragment: lbaas.lbaas.connection
options:
  pool:
    description: The pool's name, or its id.
    type: str
    required: true
  address:
    description: Where packets reach it.
    type: str
    required: true
  state:
    description: C(drained) gives it no new flows and leaves it those that it has.
    type: str
    choices: [present, drained, absent]
    default: present
  weight:
    description: How many flows it gets, in proportion to the others.
    type: int
  node:
    description: The name of the node on whose own machine it is, where pools are local.
    type: str
  labels:
    description: Its labels.
    type: dict
"""

EXAMPLES = r"""
- name: No new flows to the server that we are about to restart
  lbaas.lbaas.member:
    pool: web
    address: 10.0.20.11
    state: drained
"""

RETURN = r"""
member:
  description: The member as the API shows it; null if it is not there.
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
    run(AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True), "member")


if __name__ == "__main__":
    main()
