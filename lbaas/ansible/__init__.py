"""What the modules of the Ansible collection do, by the plan of ``lbaas apply``; the collection is in ``ansible/``."""
