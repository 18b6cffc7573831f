"""What is sent to a host to start its agent: one command line for any login shell, and the agent's modules as one text.

docs/exchange.md tells the conversation that follows.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import secrets
import shlex
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence

HOME = "/var/lib/skiff-agent"
LOCK = "/run/skiff-agent.lock"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PYTHONS = ("/usr/libexec/platform-python", "python3", *(f"python3.{minor}" for minor in range(13, 5, -1)))
INSTALLED_BY = {"centos", "rhel", "rocky", "almalinux", "ol", "fedora", "anolis", "openEuler", "alinux"}
VAULT = "vault.centos.org"  # where CentOS 7 went in 2024; its own repository files lead nowhere
SOURCES = Path(__file__).parent / "agent"
TOO_OLD = "sys.version_info<(3,6)and sys.exit(1)"
UNPACK = f"import sys;{TOO_OLD};import binascii,zlib;exec(zlib.decompress(binascii.a2b_base64(sys.argv[1])))"
NOT_MODULES = {"stub.py", "loader.py"}  # the first is the command line's, the second the program's frame

PACKING = threading.Lock()


@dataclass(frozen=True)
class Program:
    """The agent as it travels: `data` is its zlib-compressed text, `sha256` the digest of just these bytes."""

    data: bytes
    sha256: str


@dataclass(frozen=True)
class Bootstrap:
    """One run's command line, its marker (a line of the host's stdout, and of stdin after sudo) and sudo's prompt."""

    command: str
    marker: str
    prompt: Optional[str]


def program() -> Program:
    """The agent, the same bytes for the same sources."""
    # Many hosts ask for it at the same moment: it is packed once.
    with PACKING:
        return packed()


@functools.cache
def packed() -> Program:
    """The agent, packed anew at the first call."""
    modules = {"fleet.": '"""The agent\'s namespace."""\n'}
    for path in sorted(SOURCES.rglob("*.py")):
        if path.name not in NOT_MODULES:
            parts = ("fleet", *path.relative_to(SOURCES.parent).with_suffix("").parts)
            name = ".".join(parts[:-1]) + "." if parts[-1] == "__init__" else ".".join(parts)
            modules[name] = path.read_text("utf-8")
    loader = modules[""] = (SOURCES / "loader.py").read_text("utf-8")
    text = f"{loader}\nSOURCES.update({modules!r})\n"
    data = zlib.compress(text.encode("utf-8"), 1)  # at every start, and sent but once
    return Program(data, hashlib.sha256(data).hexdigest())


def prepare(become: bool, home: str = HOME, lock: str = LOCK, path: str = SEARCH_PATH) -> Bootstrap:
    """A fresh command line; with `become`, through sudo."""
    marker, prompt = secrets.token_hex(16), f"{secrets.token_hex(8)}%{secrets.token_hex(8)}" if become else None
    # sudo shows one percent sign for two: a shell that traces its commands shows no prompt.
    sudo = f"sudo -S -p {prompt.replace('%', '%%')} -- " if prompt else ""
    return Bootstrap(f"exec {sudo}/bin/sh -c '{_script(marker, become, home, lock, path)}'", marker, prompt)


def _script(marker: str, become: bool, home: str, lock: str, path: str) -> str:
    """What /bin/sh does on the host. No single quote, backslash, newline or exclamation mark: csh and fish read it too."""
    words = " ".join(shlex.quote(word) for word in arguments(home, lock))
    skip = f"while IFS= read -r l; do case $l in {marker}) break;; esac; done; " if become else ""
    run = f'env -i LC_ALL=C PATH="$PATH" HOME=/root "$p" -IBS -c "{UNPACK}" {words}'
    script = (
        f"PATH={path}; export PATH; cd /; umask 022; echo {marker}; {skip}"
        f"while :; do for p in {' '.join(PYTHONS)}; do if command -v $p >/dev/null 2>&1; then {run}; s=$?; "
        # A Python that does not start or is too old; the agent itself ends otherwise.
        "case $s in 1|126|127) ;; *) exit $s;; esac; fi; done; "
        "ID=; VERSION_ID=; ID_LIKE=; if test -r /etc/os-release; then . /etc/os-release; fi; "
        "echo nopython ${ID:-unknown} ${VERSION_ID:-0} $ID_LIKE; "
        # The output waits in a file without a name: a transaction whose connection is lost does not die of a broken pipe.
        'IFS= read -r l || exit 127; o=$(mktemp) || exit 127; exec 3>"$o" 4<"$o"; rm -f "$o"; '
        'eval "$l" </dev/null >&3 2>&1; cat <&4 >&2; exec 3>&- 4<&-; done'
    )
    assert not set(script) & set("'\\\n!"), "the login shell would misread it"
    return script


def arguments(home: str = HOME, lock: str = LOCK) -> List[str]:
    """What UNPACK is given to start the agent: the stub, the agent's digest and size, the host's places for it."""
    agent = program()
    return [stub(), agent.sha256, str(len(agent.data)), home, lock]


def python_install(os_id: str, version: str, like: Sequence[str] = ()) -> Optional[str]:
    """The line of shell that brings a host without Python its own package, or None where Skiff knows none."""
    if INSTALLED_BY.isdisjoint((os_id, *like)):
        return None
    if version.partition(".")[0] != "7":
        return "dnf -y install python3"
    tree = f"case $(uname -m) in aarch64) t={VAULT}/altarch;; *) t={VAULT};; esac"
    key = "gpgcheck=1\\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7\\n"
    entry = f"[vault-%s]\\nname=vault-%s\\nbaseurl=https://%s/7.9.2009/%s/$basearch/\\n{key}"
    write = f'for r in os updates; do printf "{entry}" $r $r $t $r; done > $d/vault.repo'.replace("$basearch", "\\$basearch")
    vault = f"d=$(mktemp -d) && {tree}; {write}; yum -y --setopt=reposdir=$d install python3; rm -rf $d"
    return f"yum -y install python3 || {{ {vault}; }}"


@functools.cache
def stub() -> str:
    """The first Python that runs on the host, packed into a word of letters and digits."""
    return base64.b64encode(zlib.compress((SOURCES / "stub.py").read_bytes(), 9)).decode("ascii")
