"""`skiff run`: create, attach, start, pass output and signals on, and end with the container's own status."""

from __future__ import annotations

import os
import sys

from skiff.cli import options, sizes
from skiff.client import documents, frames, http, raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    # The package signal makes an enum of every number, which costs a millisecond or two.
    import _signal as signal

COMMAND = options.Command(
    "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
    "Create and run a new container from an image",
    (
        ("-d, --detach", "flag", "", "run in the background, print the container's id"),
        ("-i, --interactive", "flag", "", "pass standard input on to the container"),
        ("--rm", "flag", "", "remove the container when it has ended"),
        ("--name", "text", "NAME", "name of the container"),
        ("--network", "text", "none|host", "network: none, or the host's own"),
        ("-m, --memory", "text", "BYTES", "memory limit, such as 32m"),
        ("--memory-swap", "text", "BYTES", "memory and swap together; -1 for no limit of swap"),
        ("--cpus", "text", "NUMBER", "how many CPUs, such as 0.5"),
        ("-c, --cpu-shares", "number", "N", "CPU shares, relative to other containers"),
        ("--pids-limit", "number", "N", "how many processes at most; -1 for no limit"),
        ("-e, --env", "list", "NAME=VALUE", "set a variable; NAME alone takes it from here (repeatable)"),
        ("-l, --label", "list", "NAME=VALUE", "set a label (repeatable)"),
        ("-w, --workdir", "text", "PATH", "working directory in the container"),
        ("-u, --user", "text", "USER[:GROUP]", "user, by name or number"),
        ("-h, --hostname", "text", "NAME", "the container's host name"),
        ("--entrypoint", "text", "COMMAND", "run this instead of the image's entrypoint"),
        ("--read-only", "flag", "", "mount the container's root read-only"),
        ("--shm-size", "text", "BYTES", "size of /dev/shm (64m)"),
        ("--stop-signal", "text", "SIGNAL", "signal that asks it to stop"),
        ("--stop-timeout", "number", "SECONDS", "how long it gets to stop before SIGKILL"),
        ("--security-opt", "list", "OPTION", "no-new-privileges (repeatable)"),
        ("--cap-add", "list", "NAME", "add a capability (repeatable)"),
        ("--cap-drop", "list", "NAME", "drop a capability (repeatable)"),
        ("--log-driver", "text", "json-file|none", "where the output is kept"),
        ("--log-opt", "list", "NAME=VALUE", "max-size=10m, max-file=3 (repeatable)"),
        ("--sig-proxy", "flag", "", "pass signals on to the container (true)"),
    ),
    """
skiff run --rm --network none busybox echo hello
skiff run -d --name web --network host -m 256m --cpus 0.5 web:1
tar c . | skiff run --rm -i --network none busybox tar t
skiff run --rm --network none --read-only -u 1000 -e MODE=test busybox env
""",
    least=1,
    most=None,
    interspersed=False,
)
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def run(host: str, values: dict[str, Any], arguments: list[str]) -> int:
    """The container's exit status, or Docker's 125, 126, 127 if it did not come to run."""
    client = http.Client(host)
    try:
        made = client.call("POST", f"/containers/create{http.query(name=values.get('name'))}", document(values, arguments))
    except http.DaemonError as error:
        return _create_failed(error, arguments[0])
    for warning in made["Warnings"] or ():
        print(f"WARNING: {warning}", file=sys.stderr)
    try:
        if values.get("detach"):
            client.call("POST", f"/containers/{made['Id']}/start")
            print(made["Id"])
            return 0
        return _attached(client, made["Id"], values)
    except http.DaemonError as error:
        print(f"skiff: Error response from daemon: {error}", file=sys.stderr)
        return start_status(str(error))


def _create_failed(error: http.DaemonError, image: str) -> int:
    if error.status == 404 and str(error).startswith("No such image"):
        print(f"Unable to find image '{image}' locally; load one: skiff load -i FILE", file=sys.stderr)
    else:
        print(f"skiff: Error response from daemon: {error}", file=sys.stderr)
    return 125


def start_status(message: str) -> int:
    """Docker's client goes by the words of the message too."""
    if any(words in message for words in ("executable file not found", "no such file or directory", "not a directory")):
        return 127
    if any(words in message for words in ("permission denied", "exec format error", "is a directory")):
        return 126
    return 125


def _attached(client: http.Client, identity: str, values: dict[str, Any]) -> int:
    """Output must be connected, and the end waited for, before the start: else a quick container's would be missed."""
    interactive = bool(values.get("interactive"))
    query = http.query(stream=True, stdin=interactive, stdout=True, stderr=True)
    output = client.open("POST", f"/containers/{identity}/attach{query}", upgrade="tcp")
    condition = "removed" if values.get("rm") else "next-exit"
    end = client.open("POST", f"/containers/{identity}/wait?condition={condition}")
    if values.get("sig_proxy", True):
        _forward_signals(client, identity)
    client.call("POST", f"/containers/{identity}/start")
    frames.copy(raw.both_ways(output) if interactive else output.parts())
    status: int = documents.load(end.text())["StatusCode"]
    return status


def _forward_signals(client: http.Client, identity: str) -> None:
    def forward(number: int, _frame: object) -> None:
        try:
            client.call("POST", f"/containers/{identity}/kill?signal={number}")
        except http.DaemonError:
            # It has ended already; its status is on the way.
            return

    for number in FORWARDED:
        signal.signal(number, forward)


def document(values: dict[str, Any], arguments: list[str]) -> dict[str, Any]:
    """The create request."""
    detached, interactive = bool(values.get("detach")), bool(values.get("interactive"))
    entrypoint = values.get("entrypoint")
    return {
        "Image": arguments[0],
        "Cmd": arguments[1:] or None,
        "Entrypoint": None if entrypoint is None else [entrypoint],
        "Hostname": values.get("hostname", ""),
        "User": values.get("user", ""),
        "WorkingDir": values.get("workdir", ""),
        "Env": _environment(values.get("env", ())),
        "Labels": _pairs(values.get("label", ()), "--label"),
        "AttachStdin": interactive and not detached,
        "OpenStdin": interactive,
        "StdinOnce": interactive and not detached,
        "AttachStdout": not detached,
        "AttachStderr": not detached,
        "StopSignal": values.get("stop_signal", ""),
        "StopTimeout": values.get("stop_timeout"),
        "HostConfig": _host_config(values),
    }


def _host_config(values: dict[str, Any]) -> dict[str, Any]:
    log = {"Type": values.get("log_driver", ""), "Config": _pairs(values.get("log_opt", ()), "--log-opt")}
    return {
        "NetworkMode": values.get("network", "default"),
        "AutoRemove": bool(values.get("rm")),
        "Memory": sizes.size(values.get("memory", "0"), "--memory"),
        "MemorySwap": sizes.size(values.get("memory_swap", "0"), "--memory-swap"),
        "NanoCpus": sizes.cpus(values.get("cpus", "0")),
        "CpuShares": values.get("cpu_shares", 0),
        "PidsLimit": values.get("pids_limit", 0),
        "ReadonlyRootfs": bool(values.get("read_only")),
        "SecurityOpt": values.get("security_opt"),
        "CapAdd": values.get("cap_add"),
        "CapDrop": values.get("cap_drop"),
        "ShmSize": sizes.size(values["shm_size"], "--shm-size") if "shm_size" in values else None,
        "LogConfig": log,
    }


def _environment(given: list[str]) -> list[str]:
    """NAME alone takes the value from this process, and is left out if it has none."""
    made = []
    for item in given:
        name, separator, _ = item.partition("=")
        if separator:
            made.append(item)
        elif name in os.environ:
            made.append(f"{name}={os.environ[name]}")
    return made


def _pairs(given: list[str], option: str) -> dict[str, str]:
    pairs = {}
    for item in given:
        name, separator, value = item.partition("=")
        if not name or (not separator and option == "--log-opt"):
            raise options.UsageError(f'invalid argument "{item}" for "{option}" flag: write NAME=VALUE')
        pairs[name] = value
    return pairs
