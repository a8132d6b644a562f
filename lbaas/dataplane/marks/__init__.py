"""The nodes' nftables table: which packets carry which firewall mark."""
