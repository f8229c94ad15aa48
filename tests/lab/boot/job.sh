#!/bin/sh
# Run the job and leave its outcome on the share; as process 1, also do by hand what systemd would have done.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1

if [ $$ = 1 ]; then
    mkdir -p /dev/shm /dev/pts
    mount -t tmpfs shm /dev/shm
    mount -t devpts pts /dev/pts
    mount -t cgroup2 cgroup /sys/fs/cgroup
    ip link set lo up
    hostname lab
fi

cut -d' ' -f1 /proc/uptime > /run/lab/boot_seconds
sh /run/lab/command > /run/lab/output 2>&1 < /dev/null
status=$?
dmesg > /run/lab/dmesg
# Last, for its presence says that the rest is whole.
echo $status > /run/lab/exit_code
sync
echo o > /proc/sysrq-trigger
sleep 60
