#!/bin/busybox sh
# First process in the initial ramdisk: load modules, put an overlay over the host's read-only root, go there.
# A failure ends in a kernel panic, which ends the virtual machine (`panic=-1` and `-no-reboot`).
set -e
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys

while read -r module; do insmod "/modules/$module"; done < /modules/order

option() { sed -n "s/.*\blab\.$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
share() { mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2"; }

mkdir -p /host /writes /root
share host /host ro,cache=loose
mount -t tmpfs -o size=75% writes /writes
mkdir /writes/upper /writes/work
mount -t overlay -o lowerdir=/host,upperdir=/writes/upper,workdir=/writes/work root /root

# A root that came out of a container image must not make systemd believe that it runs in one.
rm -f /root/.dockerenv
mkdir -p /root/lib/modules
mount --bind "/host$(option modules)" /root/lib/modules
mount -t tmpfs -o mode=755 run /root/run
mkdir /root/run/lab
share lab /root/run/lab rw,cache=none
mkdir -p /root/run/systemd/system
cp /root/run/lab/units/* /root/run/systemd/system/

init=$(option init | tr , ' ')
for mount in dev proc sys; do mount --move "/$mount" "/root/$mount"; done
# Unquoted, to become words.
exec switch_root /root $init
