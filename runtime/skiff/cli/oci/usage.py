"""What `skiff-oci COMMAND --help` prints: how it is called, what for, its flags, an example."""

from __future__ import annotations

from skiff.cli.oci import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# How a command is called, what for, an example.
COMMANDS = {
    "create": (
        "[flags] ID",
        "Make a container from a bundle, up to the moment before its program; `start` runs that.",
        "skiff-oci create -b /var/lib/bundles/web --pid-file /run/web.pid web",
    ),
    "start": ("ID", "Start the program of a created container.", "skiff-oci start web"),
    "run": (
        "[flags] ID",
        "Create and start a container; wait for its end, delete it and exit with its status, unless detached.",
        "skiff-oci run -b /var/lib/bundles/web web",
    ),
    "exec": (
        "[flags] ID PROGRAM [ARGUMENT...]",
        "Run a further program in a container; what no flag says is as for its first program.\n"
        "The exit status is the program's; 255 where it could not be run.",
        "skiff-oci exec -t -e TERM=xterm web sh",
    ),
    "state": ("ID", "Print a container's state as JSON.", "skiff-oci state web"),
    "kill": (
        "[flags] ID [SIGNAL]",
        "Send a signal (TERM, SIGTERM or 15; TERM if none is named) to a container's program.",
        "skiff-oci kill web KILL",
    ),
    "delete": ("[flags] ID", "Remove a container that has stopped, or was never started.", "skiff-oci delete --force web"),
    "list": ("[flags]", "Print the containers below --root.", "skiff-oci list --format json"),
    "ps": (
        "[flags] ID [ps options]",
        "Print a container's processes, by the host's ps (-ef if no options are given).",
        "skiff-oci ps web -o pid,comm",
    ),
    "pause": ("ID", "Stop all processes of a container where they are.", "skiff-oci pause web"),
    "resume": ("ID", "Let the processes of a paused container go on.", "skiff-oci resume web"),
    "update": (
        "[flags] ID",
        "Change a container's limits; what is not given stays. Sizes are bytes, or take k, m, g; -1 lifts a limit.",
        "skiff-oci update --memory 512m --cpu-quota 50000 web",
    ),
    "events": (
        "[flags] ID",
        "Print what a container uses and its OOM kills, a JSON document a line, until it ends.",
        "skiff-oci events --stats web",
    ),
    "spec": ("[flags]", "Write a config.json to begin with.", "skiff-oci spec -b /var/lib/bundles/web"),
    "features": ("", "Print what this runtime knows, as JSON.", "skiff-oci features"),
}  # fmt: skip
# What a flag's value is called, and what it is for; of one command alone where its name stands before.
FLAGS = {
    "additional-gids": ("GID", "a further group; may be repeated"),
    "all": ("", "to all processes, not to the first one alone"),
    "apparmor": ("PROFILE", "the AppArmor profile"),
    "blkio-weight": ("N", "share of block devices, 10 to 1000"),
    "bundle": ("DIR", "the bundle; the present directory if not given"),
    "cap": ("CAP", "a further capability; may be repeated"),
    "cgroup": ("[CONTROLLER:]PATH", "enter an existing group below the container's; may be repeated"),
    "console-socket": ("PATH", "a socket that gets the terminal's other end"),
    "cpu-burst": ("USECS", "what may be saved up of the quota"),
    "cpu-idle": ("0|1", "1: only while nobody else wants the processors"),
    "cpu-period": ("USECS", "over which the quota is counted"),
    "cpu-quota": ("USECS", "processor time in a period"),
    "cpu-rt-period": ("USECS", "the same for real-time processes (version 1)"),
    "cpu-rt-runtime": ("USECS", "real-time processor time in such a period (version 1)"),
    "cpu-share": ("N", "share of processor time, 2 to 262144"),
    "cpuset-cpus": ("LIST", "processors, as 0-2,5"),
    "cpuset-mems": ("LIST", "memory nodes, as 0,1"),
    "cwd": ("DIR", "the working directory"),
    "detach": ("", "do not wait for the end"),
    "env": ("NAME=VALUE", "added to the environment; may be repeated"),
    "force": ("", "kill it first, if it runs; one that is not there is no error"),
    "format": ("table|json", "table if not given"),
    "ignore-paused": ("", "in a paused container too"),
    "interval": ("DURATION", "between two documents, as 10s or 1m30s; 5s if not given"),
    "keep": ("", "do not delete it after its end"),
    "kernel-memory": ("SIZE", "kernel memory (version 1)"),
    "kernel-memory-tcp": ("SIZE", "buffers of TCP (version 1)"),
    "memory": ("SIZE", "memory"),
    "memory-reservation": ("SIZE", "what is left to it while memory is short"),
    "memory-swap": ("SIZE", "memory and swap together"),
    "no-new-keyring": ("", "leave it our session keyring"),
    "no-new-privs": ("", "no program gains privileges"),
    "no-pivot": ("", "move the root instead of pivot_root, as on an initramfs"),
    "no-subreaper": ("", "do not take its orphans"),
    "pid-file": ("FILE", "where to write its process id"),
    "pids-limit": ("N", "processes and threads"),
    "preserve-fds": ("N", "pass N descriptors from 3 on"),
    "process": ("FILE", "its process.json, in place of PROGRAM and the other flags"),
    "process-label": ("LABEL", "the SELinux label"),
    "quiet": ("", "the ids alone"),
    "resources": ("FILE", "a linux.resources document, - for standard input; stands alone"),
    "rootless": ("", "for a user without rights"),
    "spec bundle": ("DIR", "where to write it; the present directory if not given"),
    "stats": ("", "one document, and no more"),
    "systemd-cgroup": ("", "a scope of systemd's is its cgroup; also a global flag"),
    "tty": ("", "with a terminal"),
    "user": ("UID[:GID]", "who it runs as, by numbers"),
}


def text(name: str) -> str:
    """A command's help."""
    call, summary, example = COMMANDS[name]
    lines = [f"Usage: skiff-oci {name} {call}".rstrip(), "", summary, ""]
    flags = rows(name)
    if flags:
        width = max(len(heading) for heading, _ in flags)
        lines += [*(f"  {heading.ljust(width)}  {words}" for heading, words in flags), ""]
    return "\n".join([*lines, f"Example: {example}", ""])


def rows(name: str) -> list[tuple[str, str]]:
    """Each flag with its short name and value, and what it is for."""
    known = flags_of(name)
    short = {kind[1:]: alias for alias, kind in known.items() if kind.startswith("=")}
    found = []
    for flag, kind in known.items():
        if kind.startswith("=") or kind == options.REFUSED:
            continue
        value, words = FLAGS.get(f"{name} {flag}") or FLAGS[flag]
        alias = f"-{short[flag]}, " if flag in short else "    "
        found.append((f"{alias}--{flag} {value}".rstrip(), words))
    return found


def flags_of(name: str) -> Mapping[str, str]:
    """The table by which the command reads its flags."""
    found: Mapping[str, str] = getattr(__import__(f"skiff.cli.oci.{name}", fromlist=("FLAGS",)), "FLAGS", {})
    return found
