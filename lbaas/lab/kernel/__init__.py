"""The guest's kernel, made once for each user and kernel version.

Debian's User-Mode Linux has everything the data path needs but one thing: its nftables knows the bridge
family only. Two modules rebuilt from the sources of the very same version mend that in half a minute;
where those sources are gone, a whole kernel is built in their place.
"""
