"""What the provisioning tasks do with their options: inventory, roles and job from them, the run, and its exit status."""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from fleet.checks import Probe
from fleet.errors import UsageError
from fleet.events import HostOutcome, Listener
from fleet.inventory.document import Entry, parse
from fleet.inventory.model import Host
from fleet.inventory.patterns import select
from fleet.inventory.settings import CONNECTION_KEYS
from fleet.number import whole
from fleet.progress.document import Document
from fleet.progress.lines import Lines
from fleet.progress.output import write_error, write_line
from fleet.progress.tap import Tap
from fleet.progress.words import Words, wants_colour
from fleet.record import Record
from fleet.roles import defaults, loader
from fleet.roles.loader import Role
from fleet.run import again, built, engine, keeping, resume, selection
from fleet.run.connector import Connector
from fleet.run.fanout import Fanout, exit_status
from fleet.run.inventories import open_inventory
from fleet.run.job import APPLY, CHECK, FACTS, VERIFY, Job
from fleet.run.reboots import Reboots
from fleet.run.selection import Selection
from fleet.saved.seal import own_key
from fleet.transport.login import Login
from fleet.transport.policies import OFF, POLICIES, WARNING
from fleet.variables import Variable

COPIES = "copies"


@dataclass(frozen=True)
class Options:
    """The options that the provisioning tasks share."""

    hosts: str
    roles: str = ""
    skip_roles: str = ""
    role_path: str = ""
    settings: Sequence[str] = ()
    inventory: str = ""
    diff: bool = False
    forks: str = ""
    engine: str = engine.THREADS
    json: bool = False
    host_key_policy: str = "strict"
    ask_pass: bool = False
    ask_key_passphrase: bool = False
    ask_become_pass: bool = False
    timeout: str = "3600"
    connect_timeout: str = "10"
    lock_timeout: str = "60"
    tap: bool = False
    junit: str = ""
    html: str = ""
    only: str = ""
    skip: str = ""
    severity: str = ""
    boot: bool = False
    out: str = ""
    reboot: bool = False
    reboot_batch: str = "10%"
    reboot_timeout: str = "600"
    force: bool = False


def provision(
    task: str,
    mode: str,
    options: Options,
    questions: Tuple[Probe, ...] = (),
    undo: Optional[Mapping[str, Any]] = None,
    resumes: str = "",
    about: Mapping[str, Any] = MappingProxyType({}),
    own: Tuple[Role, ...] = (),
    instead: Sequence[Listener] = (),
) -> Tuple[List[HostOutcome], int]:
    """Runs a task over the hosts; outcomes and exit status.

    `undo` is asked of the hosts instead of what roles declare; `resumes` names the run that this one goes on with;
    `about` goes into its record besides. `own` are the task's own roles, instead of those that bring a host to its state.
    Listeners given `instead` hear the run in the place of its record and of what shows it.

    Raises:
        UsageError: an option, the inventory or a role is faulty; nothing was connected to.
    """
    check_options(options)
    refuse_unwritable(options)
    inventory = open_inventory(options.inventory)
    roles, declared, complete = open_roles(options)
    extra = settings(options.settings)
    defaults.check(declared, [*inventory.variables(), *variables_of(extra)])
    hosts = select(inventory, again.expanded(options.hosts, inventory.names, write_error), extra)
    chosen = own or (roles if mode != FACTS and not questions and not undo else ())
    wanted = job(
        options,
        mode=mode,
        selection=selected(options, chosen),
        roles=chosen,
        complete=complete,
        declared=declared,
        inputs=built.inputs(chosen),
        rpms=built.rpms(hosts) if chosen else {},
        questions=questions,
        undo=undo,
        keep=bool(options.out),
        key=own_key(make=True) if options.out else None,
        # An engine that takes in an archive says nothing for as long as that takes.
        **({"silence": float(options.timeout)} if own else {}),
    )
    connector = Connector(login(options), wanted.fetch)
    noted: Dict[str, Any] = {**about, **({"resumes": resumes} if resumes else {})}
    if not questions and not own:
        noted["repeat"] = resume.repetition(mode, vars(options), undo)
    quiet = bool(questions) or mode == FACTS or task == COPIES
    outcomes, status = execute(task, wanted, hosts, connector, options, quiet, noted, instead)
    if options.html:
        from fleet.report import outcomes as reported
        from fleet.report import page

        page.write(Path(options.html), page.render(reported.read(wanted.run)), "--html")
    if options.out:
        write = write_error if options.json else write_line
        saved = keeping.save(Path(options.out), keeping.about(wanted, own_roles(options), extra), outcomes, write)
        status = status or (0 if saved else 2)
    return outcomes, status


def refuse_unwritable(options: Options) -> None:
    """Looks before any host is connected to whether the run's files can be written; few runs have one, and import what it takes.

    Raises:
        UsageError: one cannot.
    """
    if options.out:
        from fleet.saved import file

        file.refuse_unwritable(Path(options.out))
    if options.html:
        from fleet.report import page

        page.refuse_unwritable("--html", Path(options.html))


def selected(options: Options, roles: Sequence[Role]) -> Selection:
    """The checks that the options choose among those of the roles.

    Raises:
        UsageError: an option names no check, or leaves none.
    """
    if not (options.only or options.skip or options.severity or options.boot):
        return Selection()
    return selection.chosen(roles, words(options.only), words(options.skip), options.severity, options.boot)


def job(options: Options, **fields: Any) -> Job:
    """A job with the limits and the password that the options give it."""
    return Job(
        diff=options.diff,
        timeout=int(options.timeout),
        lock_timeout=int(options.lock_timeout),
        become_password=secret("SKIFF_BECOME_PASSWORD", options.ask_become_pass, "sudo password: "),
        **fields,
    )


def login(options: Options) -> Login:
    """How the options say to log in.

    Raises:
        UsageError: there is no terminal to ask on.
    """
    if options.host_key_policy == OFF:
        write_error(f"warning: {WARNING}")
    timeout = int(options.timeout)
    return Login(
        password=secret("SKIFF_SSH_PASSWORD", options.ask_pass, "SSH password: "),
        passphrase=secret("SKIFF_SSH_KEY_PASSPHRASE", options.ask_key_passphrase, "passphrase of the SSH key: "),
        policy=options.host_key_policy,
        connect_timeout=min(int(options.connect_timeout), timeout),
        limit=timeout,
    )


def execute(
    task: str,
    job: Job,
    hosts: Sequence[Host],
    connector: Connector,
    options: Options,
    quiet: bool,
    about: Mapping[str, Any] = MappingProxyType({}),
    instead: Sequence[Listener] = (),
) -> Tuple[List[HostOutcome], int]:
    """The run itself, shown as the options ask, or heard by listeners `instead`; `about` goes into its record."""
    # First, for what cannot be written is refused as it begins, and the record is to know of no run that never was.
    files: List[Listener] = []
    if options.junit:
        from fleet.progress.junit import Junit  # XML is slow to import

        files.append(Junit(Path(options.junit)))
    forks = int(options.forks) if options.forks else None
    with engine.opened(options.engine, forks, job, connector, own_roles(options)) as used:
        listeners = list(instead) or [*files, Record(task, who=job.who, about=about), *shown(job, options, quiet)]
        far = used.elsewhere is None and any(host.connection != "local" for host in hosts)
        meanwhile = connector.prepare if far else None
        anew = reboots(options) if job.mode == APPLY else None
        fanout = Fanout(job, connector, listeners, used.limits, used.elsewhere, meanwhile, anew)
        outcomes = fanout.run(hosts, used.executor)
    return outcomes, exit_status(outcomes, fanout.stopping.is_set(), warned=job.mode == VERIFY)


def reboots(options: Options) -> Optional[Reboots]:
    """How hosts are rebooted that need it, or None where they are not.

    Raises:
        UsageError: an option of it is faulty.
    """
    if not options.reboot:
        return None
    if options.engine != engine.THREADS:
        raise UsageError("--engine: hosts are rebooted by threads of this machine alone", resolution="leave --engine out")
    asked = Reboots(options.reboot_batch, whole("--reboot-timeout", options.reboot_timeout, 1), options.force)
    asked.size(1)
    return asked


def shown(job: Job, options: Options, quiet: bool) -> List[Listener]:
    """The listeners that show the run: standard output is a document's with --json or --tap, and the answers' in `quiet` tasks."""
    if quiet:
        return []
    tables = job.mode == VERIFY
    verb = "changed" if job.mode == APPLY else "would-change"
    if options.json or options.tap:
        words = Words(wants_colour(sys.stderr), diffs=False, plans=False)
        return [Document(write_line) if options.json else Tap(write_line), Lines(write_error, words, verb)]
    words = Words(wants_colour(sys.stdout), options.diff, job.mode in (CHECK, VERIFY) or job.saved is not None)
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return [Lines(write_line, words, verb, tables)]
    from fleet.progress.live import LiveTable

    return [LiveTable(lambda put: Lines(put, words, verb, tables))]


def check_options(options: Options) -> None:
    """Refuses option values before anything else is looked at."""
    if not options.hosts.strip():
        raise UsageError("--hosts is missing", resolution="name hosts or groups, for instance --hosts web1,db or --hosts all")
    if options.host_key_policy not in POLICIES:
        raise UsageError(f"--host-key-policy: should be one of {', '.join(POLICIES)}, not {options.host_key_policy!r}")
    if options.json and options.tap:
        raise UsageError("--json and --tap both want standard output", resolution="leave one out")
    whole("--timeout", options.timeout, 1)
    whole("--connect-timeout", options.connect_timeout, 1)
    whole("--lock-timeout", options.lock_timeout, 0)
    reboots(options)
    if options.forks:
        whole("--forks", options.forks, 1)
    engine.check(options.engine)


def open_roles(options: Options) -> Tuple[Tuple[Role, ...], Dict[str, Variable], bool]:
    """The chosen roles, the variables of all roles, and whether no role is left out."""
    own = own_roles(options)
    paths = loader.find(loader.BUILT_IN, Path(own) if own else None)
    names = loader.select(list(paths), words(options.roles), words(options.skip_roles))
    chosen = {name: loader.load_role(name, paths[name]) for name in names}
    # A variable of a role that is left out is still a variable: its inventory stays right.
    declared = defaults.merge(
        chosen[name].variables if name in chosen else defaults.read_defaults(name, path / "defaults.yml")
        for name, path in paths.items()
    )
    return tuple(chosen.values()), declared, len(names) == len(paths)


def own_roles(options: Options) -> str:
    """The directory with a user's own roles, or nothing."""
    return options.role_path or os.environ.get("SKIFF_ROLE_PATH", "")


def words(text: str) -> List[str]:
    """A comma-separated option's words."""
    return [word.strip() for word in text.split(",") if word.strip()]


def settings(given: Sequence[str]) -> Dict[str, Entry]:
    """What `--set key=value` sets; a value is YAML.

    Raises:
        UsageError: one has no value, or is no YAML.
    """
    entries = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {text!r}: should be key=value")
        entries[key.strip()] = parse(value, None, f"--set {key.strip()}")
    return entries


def variables_of(extra: Dict[str, Entry]) -> List[Tuple[str, Entry]]:
    """The role variables among the command line's settings; connection settings are checked as hosts are settled."""
    return [(name, entry) for name, entry in extra.items() if name not in CONNECTION_KEYS]


def secret(variable: str, ask: bool, prompt: str) -> Optional[str]:
    """A password, from the terminal if asked for, or from the environment, where an empty one is none.

    Raises:
        UsageError: there is no terminal to ask on.
    """
    if not ask:
        return os.environ.get(variable) or None
    try:
        # Checked first: without a terminal getpass would read from stdin, and show what is typed.
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return getpass.getpass(prompt)
    except (OSError, EOFError) as error:
        raise UsageError(f"there is no terminal to ask for the {prompt.rstrip(': ')} on", "", f"set {variable} instead") from error
