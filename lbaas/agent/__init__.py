"""What both agents share: fetch the desired state, keep the last good one, reconcile, report."""
