"""Where a packet goes, hop by hop: what should be beside what is, and why it breaks where it does. Pure."""
