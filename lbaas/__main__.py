"""``python -m lbaas``."""

from lbaas.main import main

main()
