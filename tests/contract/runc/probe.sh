#!/bin/sh
# All that a process can see of its container: sections that begin with "@name". Parsed by sight.py.
own=/proc/$$
exec 2>&1
echo "@argv"; tr '\0' '\n' <$own/cmdline
echo "@environ"; tr '\0' '\n' <$own/environ
PATH=/bin
echo "@cwd"; readlink $own/cwd; readlink $own/root
echo "@status"; cat $own/status
echo "@stat"; cat $own/stat
echo "@limits"; cat $own/limits
echo "@mountinfo"; cat $own/mountinfo
echo "@ns"; for name in $own/ns/*; do echo "${name##*/} $(readlink "$name")"; done
echo "@fd"; for name in $own/fd/*; do echo "${name##*/} $(readlink "$name")"; done
for name in cgroup uid_map gid_map setgroups oom_score_adj personality coredump_filter timens_offsets timerslack_ns loginuid; do
    echo "@file $name"; cat $own/$name; echo  # not every one ends its line
done
echo "@umask"; umask
echo "@id"; id -u; id -g; id -G
echo "@tty"; tty; stty size </dev/tty
echo "@sysctl"
cd /proc/sys && grep -s '' kernel/hostname kernel/domainname kernel/sem kernel/shm* kernel/msg* fs/mqueue/* \
    net/ipv4/ip_forward net/ipv4/ping_group_range net/core/somaxconn net/ipv4/ip_unprivileged_port_start vm/overcommit_memory
echo "@cgroups"
cd /sys/fs/cgroup && grep -s '' */cpu.shares */cpu.cfs_* */cpu.rt_* */cpu.idle */cpuset.[cm]* */memory.*limit_in_bytes \
    */memory.swappiness */memory.oom_control */memory.use_hierarchy */pids.max */blkio.*weight* */blkio.throttle.*device */blkio.bfq* \
    */devices.list */freezer.state */notify_on_release */cgroup.clone_children | grep -v 'under_oom\|oom_kill '
echo "@nodes"; stat -c '%n|%F %a %u %g %t:%T %N' / /* /dev/* /dev/pts/* /dev/own/* /sys/fs/cgroup/* /mnt/[!0-9]* /mnt/[!0-9]*/* /tmp/* 2>/dev/null
echo "@links"; ip -o link | cut -d '\' -f 1; ip -o addr | cut -d '\' -f 1; ip route
echo "@paths"
for path in /proc/acpi /proc/asound /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats /proc/sched_debug \
    /proc/scsi /sys/firmware /sys/devices/virtual/powercap /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger \
    /proc/sys/kernel/hostname /sys/kernel/profiling /etc/passwd /etc/hidden /etc/kept /mnt /mnt/file /mnt/new/file; do
    if [ -d $path ]; then
        set -- $path/*
        if [ -e "$1" ]; then state=full; else state=empty; fi
        if [ -w $path ]; then state="$state writable"; fi
    elif [ -e $path ]; then
        if [ -w $path ]; then state=writable; else state=; fi
        state="file $state $({ read -r _ <$path; } 2>&1 && echo read) $({ : >>$path; } 2>&1 && echo open)"
    else
        state=absent
    fi
    echo "$path|$state"
done
echo "@tries"
try() { said=$(eval "$2" 2>&1); echo "$1|$? $said"; }
try root 'touch /made'
try directory 'mkdir /tmp/made'
try chmod 'chmod 711 /tmp/made'
try fifo 'mknod /tmp/fifo p'
try null 'mknod /tmp/null c 1 3 && : >/tmp/null'
try disk 'mknod /tmp/disk b 7 0 && head -c 1 /tmp/disk | wc -c'
try zero 'head -c 3 /dev/zero | wc -c'
try full 'echo >/dev/full'
try tty ': </dev/tty'
try pty 'ls /dev/pts </dev/ptmx'
try chown 'chown 5:5 /tmp/made'
try raw 'ping -q -c 1 -W 1 127.0.0.1 >/dev/null'
try mount 'mount -t tmpfs none /tmp'
try nice 'nice -n -5 true'
try chroot 'chroot / /bin/true'
try execute '/mnt/program; /mnt/inner/program'
[ -t 0 ] || try stdin 'wc -c'
echo "@end"
