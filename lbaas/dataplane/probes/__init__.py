"""The nodes' second nftables table: answers to probes find their way through the kernel's address checks."""
