"""The tasks of pull mode: hosts that bring themselves to what is published for them."""

from __future__ import annotations

from typing import Any

from invoke.context import Context

from fleet.tasks.options import CHECK, CONNECT, DIFF, HOSTS, OWN_ROLES, ROLES, Table, end, skiff_task, told

HERE: Table = {name: option for name, option in CONNECT.items() if name != "engine"}  # keys stay on this machine
PUBLISH: Table = {
    "out": ("", "The directory to publish: a web server's, or a git repository's working tree."),
    "expires": ("30", "Days after which hosts that still find this say so (default: 30)."),
    **{name: CONNECT[name] for name in ("inventory", "json")},
}
SOURCE: Table = {
    "from_": ("", "Where it is published: https://HOST/PATH, git+https://..., git+ssh://... or git+file:///..."),
    "branch": ("", "The branch of a git repository (default: main)."),
    "ca": ("", "A file with the CA certificates that vouch for the server, instead of those that the host trusts."),
    "proxy": ("", "The proxy that leads to the server, http://HOST:PORT; one with a password in SKIFF_PULL_PROXY."),
    "every": ("30min", "How often a host pulls (default: 30min)."),
    "jitter": (
        "10min",
        "Each turn is put off by a random time up to this, so that hosts do not come all at once (default: 10min).",
    ),
    "accept_older": (False, "Let hosts take a state older than the one they have, once."),
}
KEYS: Table = {
    "new": (False, "Make another key beside those that there are."),
    "use": ("", "Have this key sign from now on."),
    "drop": ("", "Destroy this key, which signs no more."),
    "passphrase": (False, "Ask for a passphrase that encrypts a new key (or set SKIFF_PULL_PASSPHRASE)."),
}


@skiff_task(KEYS)
def pull_key(_: Context, new: bool, use: str, drop: str, passphrase: bool) -> None:
    """Make the key that signs what is published, or list, add, change and destroy keys.

    Example: ./inv pull.key --passphrase
    Example: ./inv pull.key --new
    """
    with told():
        from fleet.pull.keys import Keys
        from fleet.run.task import secret

        keys = Keys()
        if use:
            keys.use(use)
        if drop:
            keys.drop(drop)
        if new or not (keys.names or use or drop):
            name = keys.make(secret("SKIFF_PULL_PASSPHRASE", passphrase, "passphrase for the new key: "))
            print(f"made {name} in {keys.directory}; keep a copy of it where this machine's loss does not reach")
        for name in keys.names:
            print(f"{name}{'  signs' if name == keys.current else ''}")


@skiff_task(HOSTS, PUBLISH, ROLES)
def pull_publish(_: Context, out: str, expires: str, **given: Any) -> None:
    """Write down, signed, what hosts are to be, for those that pull; made from their last gathered facts, connecting to none.

    Example: ./inv pull.publish --hosts all --out /srv/www/fleet
    """
    with told():
        from fleet.run.publish import publish
        from fleet.run.task import Options

        status = publish(Options(settings=given.pop("set_", ()), **given), out, expires)
    end(status)


@skiff_task(HOSTS, SOURCE, CHECK, DIFF, OWN_ROLES, HERE)
def pull_install(
    _: Context, check: bool, from_: str, branch: str, ca: str, proxy: str, every: str, jitter: str, **given: Any
) -> None:
    """Have hosts converge by themselves: the program, the keys that they accept, a service and its timer.

    Example: ./inv pull.install --hosts all --from https://fleet.example.com/skiff --every 1h --jitter 30min
    Example: ./inv pull.install --hosts 'web*' --from git+https://git.example.com/fleet.git --branch production
    """
    with told():
        from fleet.run import pulling
        from fleet.run.task import Options

        wanted = pulling.source(from_, branch, ca, proxy, every, jitter, given.pop("accept_older"))
        status = pulling.install(Options(**given), wanted, "check" if check else "apply")[1]
    end(status)


@skiff_task(HOSTS, OWN_ROLES, CONNECT)
def pull_status(_: Context, **given: Any) -> None:
    """Show of each host when it last converged by itself, from which published state, and what stands in its way.

    Example: ./inv pull.status --hosts all
    Example: ./inv pull.status --hosts all --json
    """
    with told():
        from fleet.run import pullstatus
        from fleet.run.task import Options, provision

        outcomes, status = provision(pullstatus.NAME, "verify", Options(**given), (pullstatus.asked(),))
    well = pullstatus.show(outcomes, given["json"])
    end(status or (0 if well else 2))


@skiff_task(HOSTS, CHECK, DIFF, OWN_ROLES, CONNECT)
def pull_remove(_: Context, check: bool, **given: Any) -> None:
    """Have hosts converge by themselves no more: what pull.install did is undone, all else stays as it is.

    Example: ./inv pull.remove --hosts web1
    """
    with told():
        from fleet.run import pulling
        from fleet.run.task import Options

        status = pulling.remove(Options(**given), "check" if check else "apply")[1]
    end(status)
