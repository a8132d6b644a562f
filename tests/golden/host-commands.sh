nft -f - <<'END'
add table inet lbaas_host
delete table inet lbaas_host
table inet lbaas_host {
set endpoints4 { type ipv4_addr
elements = { 10.0.20.11 }
}
set endpoints6 { type ipv6_addr
elements = { fd00:20::11 }
}
set nodes4 { type ipv4_addr
elements = { 10.0.10.11, 10.0.10.12 }
}
set nodes6 { type ipv6_addr
elements = { fd00:10::11 }
}
set vips4 { type ipv4_addr
elements = { 198.51.100.1 }
}
set vips6 { type ipv6_addr
elements = { 2001:db8:100::1 }
}
chain tunnel {
    type filter hook input priority -300; policy accept;
    ip daddr @endpoints4 ip protocol { 4, 41 } ip saddr != @nodes4 counter drop
    ip daddr @endpoints4 udp dport { 5555 } ip saddr != @nodes4 counter drop
    ip6 daddr @endpoints6 meta l4proto { 4, 41 } ip6 saddr != @nodes6 counter drop
    ip6 daddr @endpoints6 udp dport { 5555 } ip6 saddr != @nodes6 counter drop
}
chain inner {
    type filter hook prerouting priority -300; policy accept;
    iifname { "lbtun4", "lbtun6", "lbgre4", "lbgre6" } ip daddr != @vips4 counter drop
    iifname { "lbtun4", "lbtun6", "lbgre4", "lbgre6" } ip6 daddr != @vips6 counter drop
    iifname "lbsit*" ip6 daddr != @vips6 counter drop
}
chain segments {
    type filter hook output priority -150; policy accept;
    ip saddr @vips4 tcp flags & (syn) == syn tcp option maxseg size set 1428
    ip6 saddr @vips6 tcp flags & (syn) == syn tcp option maxseg size set 1388
}
}
END
sysctl -w net.ipv4.conf.all.arp_ignore=1
sysctl -w net.ipv4.conf.all.arp_announce=2
ip link add name lbsit0a00140b type sit local 10.0.20.11
ip link set dev lbsit0a00140b up
ip link add name lbtun4 type ipip external
ip link set dev lbtun4 up
ip link add name lbtun6 type ip6tnl external
ip link set dev lbtun6 up
ip address add 198.51.100.1/32 dev lbtun4
ip address add 198.51.100.1/32 dev lbtun6
ip address add 2001:db8:100::1/128 dev lbtun6 nodad
sysctl -w net.ipv4.conf.lbtun4.rp_filter=2
sysctl -w net.ipv4.conf.lbtun6.rp_filter=2
ip fou add port 5555 gue local 10.0.20.11
ip -6 fou add port 5555 gue local fd00:20::11
