"""What agents counted: entered once each, kept by minute and by hour, and read back in sums."""
