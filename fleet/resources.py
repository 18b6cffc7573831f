"""The kinds of resource: each a frozen dataclass that says how one thing on a host should be.

Pure data: the agent's module of the same name checks and applies it. `id` is unique on a host and is what `restart_on`, `on_change`
and the events of a run name. `None` means "leave as it is".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Mapping, Optional, Tuple, Union

from fleet.content import Content
from fleet.secret import Secret


@dataclass(frozen=True)
class File:
    """A regular file. `mode` is octal text; `secret` keeps its content out of diffs and logs, and its copy root's alone.

    A content with a secret of the inventory's in it makes its file `secret`. Such a file is refused with a mode that lets others
    than its owner at it, unless `shared` says that they may.
    `validate` is run with the new file's path in place of `{}` before it takes the old one's place; non-zero keeps the old one.
    """

    kind: ClassVar[str] = "file"
    path: str
    content: Optional[Content] = None
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    state: str = "present"
    backup: bool = True
    secret: bool = False
    shared: bool = False
    validate: Tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"file:{self.path}"


@dataclass(frozen=True)
class Template:
    """A file rendered on the control machine from `templates/<template>` (Jinja2, StrictUndefined); on the wire it is a file."""

    kind: ClassVar[str] = "template"
    path: str
    template: str
    variables: Mapping[str, object] = field(default_factory=dict)
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    backup: bool = True
    secret: bool = False
    shared: bool = False
    validate: Tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"file:{self.path}"


@dataclass(frozen=True)
class JsonFile:
    """A JSON object on the host into which `values` are merged at the top level; keys that Skiff does not name are kept.

    `remove` names keys that Skiff once set and that must go. A file that is not a JSON object is kept and the resource fails.
    A change of any other key than the `reloadable` ones counts as a change of `restart_id` too. Secrets may stand anywhere in
    `values`: diffs leave them out, and `mode` and `shared` are held to what they are for a file that is secret.
    """

    kind: ClassVar[str] = "json"
    path: str
    values: Mapping[str, object]
    remove: Tuple[str, ...] = ()
    reloadable: Tuple[str, ...] = ()
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    backup: bool = True
    shared: bool = False
    validate: Tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"file:{self.path}"

    @property
    def restart_id(self) -> str:
        """What a unit names in `restart_on`, beside this file's `id` in `reload_on`."""
        return f"{self.id}#restart"


@dataclass(frozen=True)
class Directory:
    """A directory; `state="absent"` removes it with all below it. Without a `mode`, one that is made is its owner's alone.

    `data`: what lies in it is the host's own, and outlives a deprovision.
    """

    kind: ClassVar[str] = "directory"
    path: str
    mode: Optional[str] = "0755"
    owner: Optional[str] = "root"
    group: Optional[str] = "root"
    state: str = "present"
    data: bool = False

    @property
    def id(self) -> str:
        return f"directory:{self.path}"


@dataclass(frozen=True)
class Link:
    """A symbolic link, swapped atomically."""

    kind: ClassVar[str] = "link"
    path: str
    target: str
    state: str = "present"

    @property
    def id(self) -> str:
        return f"link:{self.path}"


@dataclass(frozen=True)
class Archive:
    """A tar.gz unpacked as the whole of directory `path`: built aside, renamed into place; every file's digest is checked.

    `compile_with` is the interpreter that writes its byte code (unchecked-hash), which counts as no drift. `links` are symbolic
    links laid in it before the rename: path relative to `path`, and target. Without a `content` the directory must be there, as it
    was unpacked.
    """

    kind: ClassVar[str] = "archive"
    path: str
    content: Optional[Content]
    compile_with: Optional[str] = None
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"archive:{self.path}"


@dataclass(frozen=True)
class Succession:
    """The version of the runtime that is to be `home`'s next: refused where it may not follow the present one.

    `follows` is the oldest version that it can follow, `shims` the oldest and newest protocol of shims that it understands, both
    None where its bundle does not say; `back` allows an older one than is there.
    """

    kind: ClassVar[str] = "succession"
    home: str
    version: str
    follows: Optional[str]
    shims: Optional[Tuple[int, int]]
    back: bool = False

    @property
    def id(self) -> str:
        return f"succession:{self.home}"


@dataclass(frozen=True)
class Versions:
    """At most `keep` versions of the runtime below `home`: `version`, the one before it, those that run, then the newest."""

    kind: ClassVar[str] = "versions"
    home: str
    version: str
    keep: int

    @property
    def id(self) -> str:
        return f"versions:{self.home}"


@dataclass(frozen=True)
class Package:
    """Packages of the host's package manager, installed or removed in one transaction.

    `versions` pins some of them, each to a VERSION or a VERSION-RELEASE without epoch. With `files`, RPMs sent from the control
    machine by package, all repositories are disabled, and what the host lacks is installed from these alone.
    """

    kind: ClassVar[str] = "package"
    names: Tuple[str, ...]
    state: str = "present"
    versions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Content] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"package:{self.state}:{','.join(self.names)}"


@dataclass(frozen=True)
class Repository:
    """A package repository: the whole of /etc/yum.repos.d/<name>.repo, with its signing key; metadata fetched when it changed.

    `options` are further lines of the file; its `proxy` also leads to the signing key. Where they hold a secret, or with `secret`,
    the file is root's own and stays out of diffs and backups.
    """

    kind: ClassVar[str] = "repository"
    name: str
    description: str = ""
    baseurl: str = ""
    gpgkey: str = ""
    gpgcheck: bool = True
    enabled: bool = True
    options: Mapping[str, Union[str, Secret]] = field(default_factory=dict)
    state: str = "present"
    secret: bool = False

    @property
    def id(self) -> str:
        return f"repository:{self.name}"


@dataclass(frozen=True)
class Module:
    """A kernel module, loaded now and at boot (/etc/modules-load.d/skiff-<name>.conf)."""

    kind: ClassVar[str] = "module"
    name: str

    @property
    def id(self) -> str:
        return f"module:{self.name}"


@dataclass(frozen=True)
class Sysctl:
    """Kernel parameters: written to /etc/sysctl.d/<name>.conf, and live; both are checked."""

    kind: ClassVar[str] = "sysctl"
    name: str
    values: Mapping[str, str]

    @property
    def id(self) -> str:
        return f"sysctl:{self.name}"


@dataclass(frozen=True)
class Selinux:
    """SELinux's mode: enforcing, permissive or disabled; now, in its file, and (disabled) on the kernel's command line."""

    kind: ClassVar[str] = "selinux"
    mode: str

    @property
    def id(self) -> str:
        return "selinux"


@dataclass(frozen=True)
class Unit:
    """A systemd unit. `restart_on` and `reload_on` name resources whose change in this or a broken run restarts or reloads it.

    A unit that is not installed satisfies `active=False`, `enabled=False` and `masked=False`. `settled` is a command that succeeds
    once the unit has come up whole: it is waited for before the unit is stopped, where one that is cut off would leave something.
    """

    kind: ClassVar[str] = "unit"
    name: str
    enabled: Optional[bool] = None
    active: Optional[bool] = None
    masked: Optional[bool] = None
    restart_on: Tuple[str, ...] = ()
    reload_on: Tuple[str, ...] = ()
    settled: Tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"unit:{self.name}"


@dataclass(frozen=True)
class Departure:
    """A container engine that the host leaves: its units stopped and disabled, the engine's own last. What it keeps on disk stays.

    Running containers refuse it, unless `stop_containers`: then they are stopped first. `listing` is the command that tells every
    container as a JSON object a line (Names, Status), `stopping` the one that stops those whose names follow. `companions` are
    units that are stopped too where nothing enabled them: they may serve somebody else.
    """

    kind: ClassVar[str] = "departure"
    engine: str
    units: Tuple[str, ...]
    listing: Tuple[str, ...]
    stopping: Tuple[str, ...]
    companions: Tuple[str, ...] = ()
    stop_containers: bool = False

    @property
    def id(self) -> str:
        return f"departure:{self.engine}"


@dataclass(frozen=True)
class Group:
    """A group of the host's own files. `members` are added to, never taken from; they must exist."""

    kind: ClassVar[str] = "group"
    name: str
    gid: Optional[int] = None
    system: bool = False
    state: str = "present"
    members: Tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"group:{self.name}"


@dataclass(frozen=True)
class User:
    """A user of the host's own files; `groups` are added to, never taken from."""

    kind: ClassVar[str] = "user"
    name: str
    uid: Optional[int] = None
    group: Optional[str] = None
    groups: Tuple[str, ...] = ()
    home: Optional[str] = None
    shell: Optional[str] = None
    system: bool = False
    state: str = "present"

    @property
    def id(self) -> str:
        return f"user:{self.name}"


@dataclass(frozen=True)
class Command:
    """A guarded command: skipped where `unless` exits 0 or `creates` exists; with `on_change`, run only after such a change.

    `stdin` is what it reads; if that holds a secret, nothing that the command prints is shown.
    """

    kind: ClassVar[str] = "command"
    name: str
    argv: Tuple[str, ...]
    unless: Tuple[str, ...] = ()
    creates: Optional[str] = None
    on_change: Tuple[str, ...] = ()
    timeout: float = 300.0
    stdin: Optional[Content] = None

    @property
    def id(self) -> str:
        return f"command:{self.name}"


@dataclass(frozen=True)
class Images:
    """The images of an archive (docker-archive or OCI, tar or tar.gz) in the host's engine, Skiff's or Docker's.

    `images` has each image's names by the digest of its configuration; `unpacked` is what their layers hold, in bytes.
    """

    kind: ClassVar[str] = "images"
    name: str
    archive: Content
    images: Mapping[str, Tuple[str, ...]]
    unpacked: int

    @property
    def id(self) -> str:
        return f"images:{self.name}"


Resource = Union[
    File,
    Template,
    JsonFile,
    Directory,
    Link,
    Archive,
    Succession,
    Versions,
    Package,
    Repository,
    Module,
    Sysctl,
    Selinux,
    Unit,
    Departure,
    Group,
    User,
    Command,
    Images,
]


@dataclass(frozen=True)
class Handler:
    """A resource applied once, at its role's end, if one of those that `listens` names changed in this or a broken run."""

    resource: Union[Command, Versions]
    listens: Tuple[str, ...]
