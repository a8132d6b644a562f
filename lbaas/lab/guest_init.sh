#!/bin/sh
# First process of the lab's User-Mode Linux guest. The root file system is the host's, read-only under a
# tmpfs overlay; LAB_SHARE is the one directory that both sides may write, at the same path on both.
# The kernel puts LAB_SHARE and LAB_MODULES (the rebuilt modules) from its command line into our environment.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 022
fail() { echo "lab guest: $*"; echo o >/proc/sysrq-trigger; sleep 9; }

mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
modules=/usr/lib/uml/modules/$(uname -r)
if ! grep -qw overlay /proc/filesystems; then
    # modprobe looks in /lib/modules, which is the host's: give it a root of its own
    mkdir -p /run/m/lib/modules
    ln -s "$modules" /run/m/lib/modules/
    modprobe -d /run/m overlay || fail "no overlay file system"
fi
mkdir /run/up /run/work /run/root
mount -t overlay -o lowerdir=/,upperdir=/run/up,workdir=/run/work overlay /run/root || fail "no overlay"

cd /run/root || fail "no root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t devtmpfs devtmpfs dev
ln -s /proc/self/fd dev/fd # nft reads its rules from /dev/stdin, and there is no udev to make it
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mkdir -p dev/pts dev/shm
mount -t devpts devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/lock run/netns ".$LAB_SHARE"
mount -t hostfs -o "$LAB_SHARE" none ".$LAB_SHARE" || fail "no shared directory"
if [ -d "$modules" ]; then
    mkdir -p lib/modules
    ln -sfn "$modules" lib/modules/
    # in the overlay only: modprobe then finds the module that knows the families ip, ip6 and inet
    cp "$LAB_MODULES/nf_tables.ko" ".$modules/kernel/net/netfilter/nf_tables.ko" || fail "no rebuilt nf_tables"
fi
mkdir -p run/old
pivot_root . run/old
exec chroot . /bin/sh "$LAB_SHARE/start" <dev/console >dev/console 2>&1
