"""A mirror of Docker's own packages in two versions, for lab hosts: they wrap this machine's dockerd, containerd and runc.

<repository>/linux/centos/gpg                              the key that signed them, as at download.docker.com
<repository>/linux/centos/<release>/<arch>/stable/         RPMs and their index

The older version is the same program but for the version that it tells.
"""

from __future__ import annotations

import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import List, Tuple

from fleet.errors import FleetError
from fleet.lab import cache, command

SIGNER = "Skiff lab"
PROGRAMS = ("dockerd", "docker-proxy", "docker-init", "containerd", "containerd-shim-runc-v2", "ctr", "runc", "xtables-nft-multi")
CLIENT = Path("/usr/bin/docker")  # one of another version may lie before it
OWN = ("/containerd", "/xtables")  # directories that go with their packages
SEARCH = "/usr/sbin:/usr/bin:/sbin:/bin"

DOCKER_SERVICE = """\
[Unit]
Description=Docker Application Container Engine
After=network-online.target docker.socket firewalld.service containerd.service
Wants=network-online.target containerd.service
Requires=docker.socket

[Service]
Type=notify
ExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
ExecReload=/bin/kill -s HUP $MAINPID
TimeoutStartSec=0
RestartSec=2
Restart=always
StartLimitBurst=3
StartLimitInterval=60s
LimitNOFILE=infinity
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
Delegate=yes
KillMode=process
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
"""
DOCKER_SOCKET = """\
[Unit]
Description=Docker Socket for the API

[Socket]
ListenStream=/run/docker.sock
SocketMode=0660
SocketUser=root
SocketGroup=docker

[Install]
WantedBy=sockets.target
"""
CONTAINERD_SERVICE = """\
[Unit]
Description=containerd container runtime
After=network.target local-fs.target

[Service]
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
LimitNPROC=infinity
LimitCORE=infinity
LimitNOFILE=infinity
TasksMax=infinity
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
"""
CONTAINERD_CONFIG = 'disabled_plugins = ["cri"]\n'
# What the real packages do around an upgrade and a removal.
SCRIPTS = """\
%pre -n docker-ce
getent group docker >/dev/null || groupadd --system docker
%post -n docker-ce
systemctl daemon-reload
%preun -n docker-ce
[ $1 -ne 0 ] || systemctl --no-reload disable --now docker.service docker.socket
%postun -n docker-ce
systemctl daemon-reload
[ $1 -eq 0 ] || systemctl try-restart docker.service
"""
CONTAINERD_SCRIPT = """\
%preun -n containerd.io
[ $1 -ne 0 ] || systemctl --no-reload disable --now containerd.service
"""
HEADER = """\
Name: lab-docker-{version}
Version: {version}
Release: 1
Summary: Docker's engine for Skiff's lab
License: Apache-2.0
AutoReqProv: no
%define _binary_payload w.ufdio
%define __os_install_post %{{nil}}
%define debug_package %{{nil}}
%define _build_id_links none
%description
The programs of the machine that the lab runs on, packed as Docker packs its own.
"""


@dataclass(frozen=True)
class Part:
    """A package: its files as (path on the host, source), and what its spec's preamble says besides."""

    name: str
    version: str
    files: Tuple[Tuple[str, Path], ...]
    tags: Tuple[str, ...] = ()


def repository(directory: Path, release: str) -> Path:
    """The mirror of a release such as el9, from the cache or built.

    Raises:
        FleetError: this machine lacks a program that is packed or that packs.
    """
    programs = {name: _program(name) for name in (*PROGRAMS, "rpmsign", "gpg")}
    told = _version()
    key = cache.digest(release, told, sorted(programs.items()), Path(__file__))
    return cache.obtain(directory, f"docker-{release}", key, lambda aside, fd: _build(aside, release, told, fd))


def versions() -> Tuple[str, str]:
    """The two versions, the older first."""
    newer = _version().partition("+")[0]
    return _older(newer), newer


def _program(name: str) -> Path:
    found = shutil.which(name, path=SEARCH)
    if found is None or not CLIENT.exists():
        raise FleetError(
            f"This machine has no {name if found is None else CLIENT}.", resolution="apt-get install docker.io gnupg rpm"
        )
    return Path(found).resolve()


def _version() -> str:
    """What dockerd tells: 20.10.24+dfsg1."""
    said = command.run([str(_program("dockerd")), "--version"])
    match = re.search(r"version (\S+?),", said)
    if match is None:
        raise FleetError("dockerd does not tell its version.", said)
    return match[1]


def _older(version: str) -> str:
    """A version before it, of the same length: it takes the other's place in a program."""
    head, _, last = version.rpartition(".")
    return f"{head}.{int(last) - 1:0{len(last)}}"


def _build(aside: Path, release: str, told: str, fd: int) -> None:
    work, newer = aside / ".build", told.partition("+")[0]
    older = told.replace(newer, _older(newer))
    place = aside / "linux/centos" / release.removeprefix("el") / platform.machine() / "stable"
    place.mkdir(parents=True)
    for version in (older, told):
        programs = work / version
        programs.mkdir(parents=True)
        for name, path in (("dockerd", _program("dockerd")), ("docker", CLIENT)):
            (programs / name).write_bytes(path.read_bytes().replace(told.encode(), version.encode()))
        parts = _engine(programs, version.partition("+")[0], work)
        _pack(work, place, [*parts, *(_others(work) if version == told else [])], release, version.partition("+")[0], fd)
    (aside / "linux/centos/gpg").write_text(_sign(work, sorted(place.glob("*.rpm")), fd))
    cache.remove_tree(work)
    command.run(["createrepo_c", "--quiet", str(place)], pass_fds=[fd])


def _engine(programs: Path, version: str, work: Path) -> List[Part]:
    """Daemon and client."""
    units = [(f"/usr/lib/systemd/system/{name}", _text(work, name, text)) for name, text in (
        ("docker.service", DOCKER_SERVICE), ("docker.socket", DOCKER_SOCKET))]  # fmt: skip
    daemon = [("/usr/bin/dockerd", programs / "dockerd")]
    daemon += [(f"/usr/bin/{name}", _program(name)) for name in ("docker-proxy", "docker-init")]
    requires = ("Requires: docker-ce-cli", "Requires: containerd.io", "Requires: iptables >= 1.4", "Requires(pre): coreutils")
    return [
        Part("docker-ce", version, (*daemon, *units), ("Epoch: 3", *requires)),
        Part("docker-ce-cli", version, (("/usr/bin/docker", programs / "docker"),), ("Epoch: 1",)),
    ]


def _others(work: Path) -> List[Part]:
    """The daemon beside it with runc, and an iptables that works, in place of the lab's empty one."""
    names = ("containerd", "containerd-shim-runc-v2", "ctr", "runc")
    unit = ("/usr/lib/systemd/system/containerd.service", _text(work, "containerd.service", CONTAINERD_SERVICE))
    config = ("/etc/containerd/config.toml", _text(work, "config.toml", CONTAINERD_CONFIG))
    provides = ("Provides: containerd", "Provides: runc", "Conflicts: containerd, runc")
    tables = _program("xtables-nft-multi")
    modules = [(str(path), path) for path in sorted(Path("/usr/lib").glob("*/xtables/*.so"))]
    links = [(f"/usr/sbin/{name}", tables) for name in ("iptables", "ip6tables", "iptables-save", "iptables-restore")]
    return [
        Part("containerd.io", "1.6.20", (*((f"/usr/bin/{name}", _program(name)) for name in names), unit, config), provides),
        Part("iptables", "1.8.9", (*links, *modules)),
    ]


def _text(work: Path, name: str, text: str) -> Path:
    path = work / name
    path.write_text(text)
    return path


def _pack(work: Path, place: Path, parts: List[Part], release: str, version: str, fd: int) -> None:
    lines = [HEADER.format(version=version)]
    for part in parts:
        lines += [f"%package -n {part.name}", f"Version: {part.version}", f"Release: 1.{release}", f"Summary: {part.name}"]
        lines += ["AutoReqProv: no", *part.tags, f"%description -n {part.name}", f"{part.name} of this machine."]
    lines.append("%install")
    for part in parts:
        lines += [f"install -D -m {_mode(path)} {source} %{{buildroot}}{path}" for path, source in part.files]
    for part in parts:
        folders = sorted(
            {f"%dir {folder}" for path, _ in part.files for folder in [str(Path(path).parent)] if folder.endswith(OWN)}
        )
        lines += [f"%files -n {part.name}", *folders, *(path for path, _ in part.files)]
    scripts = [CONTAINERD_SCRIPT] if any(part.name == "containerd.io" for part in parts) else []
    (work / "docker.spec").write_text("\n".join([*lines, SCRIPTS, *scripts]))
    defines = [
        f"_topdir {work}/rpm",
        f"_rpmdir {place}",
        f"_tmppath {work}",
        f"_dbpath {work}/db",
        "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    ]
    options = [word for define in defines for word in ("--define", define)]
    command.run(["rpmbuild", "-bb", "--quiet", *options, str(work / "docker.spec")], pass_fds=[fd])


def _mode(path: str) -> str:
    return "755" if "bin/" in path else "644"


def _sign(work: Path, packages: List[Path], fd: int) -> str:
    """Signs them by a key of this moment; its public half."""
    home = work / "gpg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    command.run([*gpg, "--passphrase", "", "--quick-generate-key", SIGNER, "rsa2048", "sign", "never"], pass_fds=[fd])
    try:
        options = ["--define", f"_gpg_name {SIGNER}", "--define", f"_gpg_path {home}", "--define", f"__gpg {_program('gpg')}"]
        command.run(["rpmsign", *options, "--addsign", *map(str, packages)], pass_fds=[fd])
        return command.run([*gpg, "--armor", "--export"])
    finally:
        command.run(["gpgconf", "--homedir", str(home), "--kill", "all"])
