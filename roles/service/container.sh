#!/bin/sh
# Runs containers and prints what was seen, a name=value a line; container.py judges it.
# usage: container.sh IMAGE.tar REFERENCE COMMAND
image=$1
reference=$2
engine=$3
name=skiff-probe
PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
log=$(mktemp) || exit 1

clean() {
    "$engine" rm --force "$name" >/dev/null 2>&1
    [ -n "$keep" ] || "$engine" rmi "$reference" >/dev/null 2>&1
}

# run STEP OPTION... REFERENCE COMMAND...: the container's lines, then its status, and what went wrong.
run() {
    step=$1
    shift
    "$engine" run --rm --network none --name "$name" "$@" 2>"$log" &
    wait "$!" # so that a signal is heeded at once
    printf '%s.status=%s\n' "$step" "$?"
    printf '%s.error=%s\n' "$step" "$(tr '\n' ' ' <"$log")"
}

# A run that was cut short may have left its container; the host's lock keeps two from being here at once.
"$engine" rm --force "$name" >/dev/null 2>&1
keep=$("$engine" inspect "$reference" 2>/dev/null | grep '"Id"')
trap 'clean; rm -f "$log"' EXIT
trap 'exit 1' HUP INT PIPE TERM

printf 'load.output=%s\n' "$("$engine" load --input "$image" 2>"$log" | tr '\n' ' ')"
printf 'load.error=%s\n' "$(tr '\n' ' ' <"$log")"

for kind in cgroup ipc mnt net pid uts; do
    printf 'host.%s=%s\n' "$kind" "$(readlink "/proc/self/ns/$kind")"
done
# shellcheck disable=SC2016 # expanded in the container
run first "$reference" sh -c '
    for kind in cgroup ipc mnt net pid uts; do echo "container.$kind=$(readlink /proc/self/ns/$kind)"; done
    while read -r device directory type rest; do [ "$directory" = / ] && echo "root=$type"; done </proc/mounts
    echo "pid=$$"
    touch /written-by-the-probe'
run second "$reference" sh -c 'test ! -e /written-by-the-probe'
# 64 MiB asked for where 16 are allowed, and no more, should the limit not hold.
run memory --memory 16m "$reference" dd if=/dev/zero of=/dev/null bs=64M count=1
