"""``python -m lbaas.terraform``, what the launcher in Terraform's plugin directory runs."""

from lbaas.terraform.provider import main

main()
