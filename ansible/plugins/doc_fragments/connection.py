"""Options that every module of the collection has."""


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description:
      - The server, like C(https://lb.example).
      - Left out, C(LBAAS_SERVER_URL) and C(LBAAS_TOKEN) of the environment are taken, else a profile of C(lbaas login).
    type: str
  token:
    description: A tenant's token. See O(url) for what is taken if it is left out.
    type: str
  profile:
    description: A profile of C(lbaas login); the current one if left out.
    type: str
requirements:
  - the lbaas package in the Python that runs the module
attributes:
  check_mode:
    support: full
    description: Says what would change, and changes nothing.
  diff_mode:
    support: full
    description: Shows each object that changes, before and after.
"""
