"""Skiff's tasks: options in, one call, what to print and the exit status. `./inv TASK --help` explains each.

Exit status: 0 done, 1 wrong usage, 2 a host failed, 3 only unreachable hosts, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Tuple

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.main import program
from invoke.tasks import task

# Options: name, default, help. A name's last underscore only keeps Python's own names free.
Table = Dict[str, Tuple[object, str]]

HOSTS: Table = {
    "hosts": ("", "Names, groups, all, globs, exclusions (all:!web3) and addresses (root@10.0.0.5:22), separated by commas."),
}
CONNECT: Table = {
    "inventory": ("", "Inventory file, instead of inventory/hosts.yml and the running lab's."),
    "forks": ("", "How many hosts at a time (default: by the number of processors)."),
    "json": (False, "One JSON document on standard output, at the end."),
    "host_key_policy": ("strict", "strict: known host keys only; accept-new: write an unknown one down at first sight."),
    "ask_pass": (False, "Ask for the SSH password (or set SKIFF_SSH_PASSWORD)."),
    "ask_become_pass": (False, "Ask for sudo's password (or set SKIFF_BECOME_PASSWORD)."),
    "timeout": ("3600", "Seconds that a host may take in all (default: 3600)."),
}
ROLES: Table = {
    "roles": ("", "Only these roles, separated by commas."),
    "skip_roles": ("", "All roles but these, separated by commas."),
    "role_path": ("", "Directory with roles of your own (or set SKIFF_ROLE_PATH)."),
    "set_": ([], "A variable over the inventory's, as key=value with a YAML value; may be repeated."),
}
CHECK: Table = {"check": (False, "Change nothing; say what would change.")}
DIFF: Table = {"diff": (False, "Show the differences of files.")}
VERDICTS: Table = {
    "junit": ("", "Write the verdicts to this file as JUnit XML, which CI servers read."),
    "tap": (False, "The verdicts on standard output in the Test Anything Protocol, at the end."),
}
BUSYBOX: Table = {
    "arch": ("", "Architecture of the probe image, x86_64 or aarch64 (default: this machine's)."),
    "busybox": ("", "A statically linked busybox for the probe image (default: this machine's own)."),
}
LAB: Table = {"name": ("lab", "The lab's name, to have several (default: lab).")}


def skiff_task(*tables: Table, positional: Tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Any]:
    """A task with these options, and no automatic short flags: Invoke would make -h mean --hosts."""
    options = {name: option for table in tables for name, option in table.items()}

    def declare(body: Callable[..., None]) -> Any:
        word = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, word, default=default) for name, (default, _) in options.items()]
        body.__signature__ = inspect.Signature([inspect.Parameter("context", word), *parameters])  # type: ignore[attr-defined] # PEP 362
        lists = [name for name, (default, _) in options.items() if default == []]
        told = {name: text for name, (_, text) in options.items()}
        return task(auto_shortflags=False, positional=list(positional), iterable=lists, help=told)(body)

    return declare


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Errors become a message and an exit status."""
    from fleet.errors import FleetError, UsageError

    try:
        yield
    except FleetError as error:
        lines = [error.brief, *(f"  {line}" for line in error.details.splitlines())]
        lines += [f"  -> {line}" for line in error.resolution.splitlines()]
        print("\n".join(lines), file=sys.stderr)
        raise Exit(code=1 if isinstance(error, UsageError) else 2) from error
    except KeyboardInterrupt as error:
        raise Exit(code=130) from error


def end(status: int) -> None:
    """Ends the program, unless all went well."""
    if status:
        raise Exit(code=status)


def over_hosts(name: str, mode: str, given: Dict[str, Any], questions: Tuple[str, ...] = ()) -> Any:
    """Runs a task over its hosts: the outcomes and the exit status."""
    with told():
        from fleet.run.answers import question
        from fleet.run.task import Options, provision

        options = Options(settings=given.pop("set_", ()), **given)
        return provision(name, mode, options, tuple(question(*words.split()) for words in questions))


@skiff_task(HOSTS, CHECK, DIFF, ROLES, CONNECT)
def provision(_: Context, check: bool, **given: Any) -> None:
    """Bring hosts to their declared state, deploy the runtime, and verify it.

    Example: ./inv provision --hosts 'web*,!web3' --diff --set firewalld=kept
    """
    end(over_hosts("provision", "check" if check else "apply", given)[1])


@skiff_task(HOSTS, ROLES, CONNECT)
def plan(_: Context, **given: Any) -> None:
    """Say what provision would change, with the differences of files; change nothing.

    Example: ./inv plan --hosts all
    """
    end(over_hosts("plan", "check", {**given, "diff": True})[1])


@skiff_task(HOSTS, DIFF, ROLES, CONNECT, VERDICTS)
def verify(_: Context, **given: Any) -> None:
    """Check that hosts are as declared: drift, service, version, info, a container run on each; change nothing.

    Example: ./inv verify --hosts web1 --json
    Example: ./inv verify --hosts all --junit verify.xml
    """
    end(over_hosts("verify", "verify", given)[1])


@skiff_task(HOSTS, CONNECT)
def facts(_: Context, **given: Any) -> None:
    """Show what hosts are: system, kernel, Pythons, SELinux, firewalld, storage.

    Example: ./inv facts --hosts all --json
    """
    from fleet.run.answers import show_facts

    outcomes, status = over_hosts("facts", "facts", given)
    show_facts(outcomes, given["json"])
    end(status)


@skiff_task(HOSTS, CONNECT)
def version(_: Context, **given: Any) -> None:
    """Show `skiff version`, client and server, of each host, side by side.

    Example: ./inv version --hosts web1,web2
    """
    ask("version", given)


@skiff_task(HOSTS, CONNECT)
def info(_: Context, **given: Any) -> None:
    """Show `skiff info` of each host, side by side.

    Example: ./inv info --hosts web1
    """
    ask("info", given)


def ask(question: str, given: Dict[str, Any]) -> None:
    """Shows what every host's client answers to a question."""
    from fleet.run.answers import show_answers

    outcomes, status = over_hosts(question, "verify", given, (question,))
    answered = show_answers(outcomes, question, given["json"])
    end(status or (0 if answered else 2))


@skiff_task(BUSYBOX)
def bundle(_: Context, arch: str, busybox: str) -> None:
    """Build the runtime's bundle and the probe image into dist/; the same input gives the same bytes.

    Example: ./inv bundle
    Example: ./inv bundle --arch aarch64 --busybox ./busybox-aarch64
    """
    with told():
        from fleet import bundle as archive
        from fleet import probe_image

        archive.bundle(print)
        probe_image.build(arch, Path(busybox) if busybox else None, report=print)


@skiff_task({"keep": (False, "Leave the host running at the end.")})
def demo(_: Context, keep: bool) -> None:
    """Take the tour: boot a real host, prepare it over SSH, verify it, run a container on it, and end it.

    Example: ./inv demo --keep
    """
    with told():
        from fleet import demo as tour

        tour.run(keep, print)


@skiff_task({"count": ("1", "How many hosts (default: 1)."), "el": ("9", "Their look: release 7, 8, 9 or 10 (default: 9).")}, LAB)
def lab_up(_: Context, count: str, el: str, name: str) -> None:
    """Boot real systemd hosts on this machine, and write their inventory (group lab).

    Example: ./inv lab.up --count 2 --el 9
    """
    with told():
        from fleet.lab import Lab
        from fleet.number import whole

        show_lab(Lab(name).up(whole("--count", count, 1), el=whole("--el", el, 7), report=print))


@skiff_task(LAB)
def lab_down(_: Context, name: str) -> None:
    """End the lab's hosts and remove all that they left on this machine.

    Example: ./inv lab.down
    """
    with told():
        from fleet.lab import Lab

        Lab(name).down(print)


@skiff_task(LAB)
def lab_status(_: Context, name: str) -> None:
    """Show the lab's hosts: address, release, Python, state.

    Example: ./inv lab.status
    """
    with told():
        from fleet.lab import Lab

        show_lab(Lab(name).status())


def show_lab(statuses: Any) -> None:
    """Prints a line for each host of the lab."""
    for host in statuses:
        print(f"{host.name}  {host.address}  {host.release}  Python {host.python}  {host.state}")


@skiff_task(
    {"host": (None, "The host's name."), "command": ("", "Run this instead of a shell.")},
    LAB,
    positional=("host",),
)
def lab_ssh(_: Context, host: str, command: str, name: str) -> None:
    """Log in to a host of the lab.

    Example: ./inv lab.ssh lab1 --command 'skiff ps'
    """
    if host in ("-h", "--help"):
        # Invoke takes any word for a positional argument that is still missing.
        program.run(["invoke", "--search-root", str(Path(__file__).parent), "--help", "lab.ssh"], exit=False)
        return
    with told():
        from fleet.lab import Lab

        argv = Lab(name).ssh_argv(host)
    end(subprocess.run([*argv, command] if command else argv, check=False).returncode)


INVENTORY: Table = {
    "hosts": ("all", "Names, groups, globs, exclusions (all:!web3), separated by commas (default: all)."),
    "inventory": ("", "Inventory file, Skiff's or Ansible's, instead of inventory/hosts.yml and the running lab's."),
    "json": (False, "One JSON document on standard output."),
}


@skiff_task(INVENTORY)
def inventory_list(_: Context, **given: Any) -> None:
    """List hosts with their addresses and groups; connect to none.

    Example: ./inv inventory.list --hosts 'web*'
    """
    show_inventory("list", given)


@skiff_task(INVENTORY)
def inventory_graph(_: Context, **given: Any) -> None:
    """Draw the tree of groups and hosts; connect to none.

    Example: ./inv inventory.graph --inventory /etc/ansible/hosts
    """
    show_inventory("graph", given)


@skiff_task(INVENTORY)
def inventory_show(_: Context, **given: Any) -> None:
    """Show the merged settings of hosts, and the file and line where each was set; connect to none.

    Example: ./inv inventory.show --hosts web1
    """
    show_inventory("show", given)


def show_inventory(view: str, given: Dict[str, Any]) -> None:
    """Prints one of the views of an inventory."""
    with told():
        from fleet.run import inventories

        inventories.show(view, **given)


@skiff_task({"out": ("", "Directory to write the files to, instead of printing them."), "role_path": ROLES["role_path"]})
def inventory_schema(_: Context, out: str, role_path: str) -> None:
    """Generate the JSON Schemas of inventory and role files, by which an editor completes and checks them.

    Example: ./inv inventory.schema --out .schemas
    """
    with told():
        from fleet import schema

        schema.generate(out, role_path, print)


def named(*names: str) -> bool:
    """Whether a word stands after one of these tasks: to Invoke, a positional argument is one that may not be left out."""
    return any(word in names and not after.startswith("-") for word, after in zip(sys.argv, sys.argv[1:]))


RUN: Table = {
    "run": (None if named("runs.show", "report") else "", "The run's name, or the beginning of it (default: the last run)."),
}
JSON: Table = {"json": CONNECT["json"]}


@skiff_task(JSON)
def runs_list(_: Context, json: bool) -> None:
    """List the recorded runs, the newest first: when, what, by whom, hosts by state.

    Example: ./inv runs.list
    """
    with told():
        from fleet.report import text

        text.print_list(json)


@skiff_task(RUN, DIFF, JSON, positional=("run",))
def runs_show(_: Context, run: str, diff: bool, json: bool) -> None:
    """Show one recorded run: what changed and what failed on each host.

    Example: ./inv runs.show --diff
    """
    with told():
        from fleet.report import text

        text.print_run(run, diff, json)


@skiff_task(
    RUN,
    {"out": ("", "The file to write (default: skiff-RUN.html, here).")},
    positional=("run",),
)
def report(_: Context, run: str, out: str) -> None:
    """Draw one recorded run as a page in one file: hosts by state, where time went, differences, failures, checks.

    Example: ./inv report --out last.html
    """
    with told():
        from fleet.report import outcomes, page

        recorded = outcomes.read(run)
        path = Path(out or f"skiff-{recorded.run.name}.html")
        page.write(path, page.render(recorded))
        print(path)


@skiff_task()
def lint(_: Context) -> None:
    """Check format, style, types and architecture.

    Example: ./inv lint
    """
    from tests import stages

    end(0 if stages.run([stages.LINT, stages.TYPES, stages.ARCHITECTURE]) else 1)


@skiff_task()
def test(_: Context) -> None:
    """Run lint and the unit, root, lab and contract tests.

    Example: ./inv test
    """
    from tests import stages

    end(0 if stages.run(stages.all_stages()) else 1)


@skiff_task()
def long_tests(_: Context) -> None:
    """Run the tests that take minutes: faults at random moments.

    Example: ./inv test.long
    """
    from tests import stages

    end(0 if stages.run([stages.LONG]) else 1)


def namespace() -> Collection:
    """The tasks under their names."""
    root = Collection(provision, plan, verify, facts, version, info, report, bundle, demo, lint)
    lab, tests, inventory = Collection("lab"), Collection("test"), Collection("inventory")
    for name, member in (("up", lab_up), ("down", lab_down), ("status", lab_status), ("ssh", lab_ssh)):
        lab.add_task(member, name=name)
    tests.add_task(test, name="all", default=True)
    tests.add_task(long_tests, name="long")
    for name, member in (
        ("list", inventory_list),
        ("graph", inventory_graph),
        ("show", inventory_show),
        ("schema", inventory_schema),
    ):
        inventory.add_task(member, name=name)
    root.add_collection(inventory)
    runs = Collection("runs")
    runs.add_task(runs_list, name="list")
    runs.add_task(runs_show, name="show")
    root.add_collection(runs)
    root.add_collection(lab)
    root.add_collection(tests)
    return root


ns = namespace()
