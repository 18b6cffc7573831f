"""The command line starts the agent from any login shell, and trusts no byte of the host that it has not hashed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, List, Optional

import pytest

from fleet import bootstrap
from tests.unit.agent.driver import Exchange

SHELLS = ("sh", "bash", "dash", "csh", "tcsh", "fish")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def start(
    tmp_path: Path, shell: str = "sh", become: bool = False, path: str = PATH, banner: str = ""
) -> tuple[Exchange, List[str]]:
    """The exec request as sshd runs it, up to the hello; the lines seen after the marker."""
    prepared = bootstrap.prepare(become, str(tmp_path / "home"), str(tmp_path / "lock"), path)
    pipe = subprocess.PIPE
    command = f"{banner}{prepared.command}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "de_DE.UTF-8", "PYTHONPATH": "/evil"}
    process = subprocess.Popen([shell, "-c", command], stdin=pipe, stdout=pipe, stderr=pipe, env=environment, cwd=tmp_path)
    assert process.stdin is not None
    assert process.stdout is not None
    if become:
        process.stdin.write(b"pass\\word $x ' \n")
        process.stdin.flush()
    while process.stdout.readline().decode().strip() != prepared.marker:
        assert process.poll() is None
    if become:
        process.stdin.write(prepared.marker.encode() + b"\n")
        process.stdin.flush()
    exchange, lines = Exchange(process, {}), []
    while process.stdout.peek(1)[:1] == b"n":  # type: ignore[attr-defined] # a BufferedReader, as Popen opens it
        lines.append(process.stdout.readline().decode().strip())
        if lines[-1] != "need":
            break
        process.stdin.write(bootstrap.program().data)
        process.stdin.flush()
    else:
        exchange.receive()
    return exchange, lines


def finish(exchange: Exchange) -> str:
    exchange.send({"type": "quit"})
    return exchange.close()


@pytest.mark.parametrize("become", [False, True], ids=["root", "sudo"])
@pytest.mark.parametrize("shell", SHELLS)
def test_every_login_shell(tmp_path: Path, shell: str, become: bool) -> None:
    if shutil.which(shell) is None or (become and shutil.which("sudo") is None):
        pytest.skip(f"{shell} or sudo is not on this machine")
    exchange, lines = start(tmp_path, shell, become)
    assert lines == ["need"]
    assert exchange.one("hello")["facts"]["uid"] == os.geteuid()
    assert finish(exchange) == ""


def test_banners_before_the_marker_are_skipped(tmp_path: Path) -> None:
    exchange, _ = start(tmp_path, banner="echo Welcome; echo J; ")
    assert exchange.one("hello")["protocol"] == 1
    finish(exchange)


def keep(tmp_path: Path, data: bytes, mode: int = 0o700) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=mode)
    home.chmod(mode)
    (home / bootstrap.program().sha256).write_bytes(data)


@pytest.mark.parametrize(("mode", "data", "needed"), [(0o700, None, False), (0o755, None, True), (0o700, b"evil", True)])
def test_the_cache_is_used_only_when_sound(tmp_path: Path, mode: int, data: Optional[bytes], needed: bool) -> None:
    keep(tmp_path, bootstrap.program().data if data is None else data, mode)
    exchange, lines = start(tmp_path)
    assert lines == (["need"] if needed else [])
    assert exchange.one("hello")["cached"] is not needed
    finish(exchange)


def test_a_damaged_agent_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = bootstrap.program()
    monkeypatch.setattr(bootstrap, "program", lambda: bootstrap.Program(good.data[:-1] + b"x", good.sha256))
    exchange, _ = start(tmp_path)
    assert exchange.messages == []
    assert "the agent arrived damaged" in exchange.close()


def test_a_host_without_python_says_so_and_can_be_given_one(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("cat", "env", "ln", "mktemp", "rm", "sleep"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    (programs / "python3").write_text("#!/bin/sh\nexit 1\n")  # too old
    (programs / "python3").chmod(0o755)
    exchange, lines = start(tmp_path, path=str(programs))
    release = subprocess.run(["sh", "-c", ". /etc/os-release; echo $ID $VERSION_ID $ID_LIKE"], capture_output=True, text=True)
    assert lines == [f"nopython {release.stdout.strip()}"]
    assert exchange.process.stdin is not None
    assert exchange.process.stdout is not None
    exchange.process.stdin.write(f"ln -s {sys.executable} {programs}/python3.11; echo installed\n".encode())
    exchange.process.stdin.flush()
    assert exchange.process.stdout.readline() == b"need\n"
    exchange.process.stdin.write(bootstrap.program().data)
    exchange.process.stdin.flush()
    exchange.receive()
    assert finish(exchange) == "installed\n"


def test_an_installation_outlives_its_connection(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("cat", "mktemp", "rm", "sleep", "touch"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    exchange, _ = start(tmp_path, path=str(programs))
    assert exchange.process.stdin is not None
    line = f"until test -e {tmp_path}/go; do sleep 0.05; done; echo progress && echo more >&2 && touch {tmp_path}/whole\n"
    exchange.process.stdin.write(line.encode())
    for stream in (exchange.process.stdin, exchange.process.stdout, exchange.process.stderr):
        assert stream is not None
        stream.close()
    (tmp_path / "go").touch()
    exchange.process.wait(30)
    assert (tmp_path / "whole").exists()


def test_closing_instead_ends_the_shell(tmp_path: Path) -> None:
    exchange, _ = start(tmp_path, path=str(tmp_path / "none"))
    exchange.close()
    assert exchange.process.returncode == 127


def test_the_program_is_the_same_each_time() -> None:
    first = bootstrap.program()
    bootstrap.packed.cache_clear()
    assert bootstrap.program() == first
    assert bootstrap.prepare(False).marker != bootstrap.prepare(False).marker


@pytest.mark.parametrize("become", [False, True])
def test_no_character_that_a_login_shell_misreads(become: bool) -> None:
    command = bootstrap.prepare(become).command
    head, script, tail = command.split("'")
    assert head.startswith("exec sudo -S -p " if become else "exec /bin/sh -c ")
    assert tail == ""
    assert not set(script) & set("\\\n!'")


def test_python_is_installed_by_the_hosts_own_tool() -> None:
    assert bootstrap.python_install("centos", "9") == "dnf -y install python3"
    assert bootstrap.python_install("debian", "12") is None
    line = bootstrap.python_install("centos", "7")
    assert line is not None
    assert line.startswith("yum -y install python3 || {")
    assert "\n" not in line
    assert subprocess.run(["sh", "-n", "-c", line]).returncode == 0


def test_the_vault_of_el7_is_written_as_meant(tmp_path: Path) -> None:
    yum = tmp_path / "yum"
    yum.write_text('#!/bin/sh\ncase $2 in --setopt=reposdir=*) cat "${2#*reposdir=}"/vault.repo;; *) exit 1;; esac\n')
    yum.chmod(0o755)
    line = bootstrap.python_install("centos", "7")
    assert line is not None
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    said = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment).stdout
    assert "[vault-os]\nname=vault-os\nbaseurl=https://vault.centos.org/" in said
    assert "7.9.2009/os/$basearch/\ngpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7\n[vault-updates]" in said


def applied(tmp_path: Path) -> List[Path]:
    """A run that changes nothing, and what it left of the agent."""
    exchange, _ = start(tmp_path)
    desired = {"who": "me", "run": "r", "lock_timeout": 1, "diff": False, "resources": [], "probes": [], "secrets": []}
    exchange.send({"type": "desired", "mode": "apply", **desired})
    while exchange.receive() is not None:
        pass
    assert exchange.one("done")["failed"] == 0
    assert exchange.close() == ""
    return sorted((tmp_path / "home").glob(f"{bootstrap.program().sha256}*"))


def test_the_next_run_has_the_agents_code_and_reads_no_text(tmp_path: Path) -> None:
    text, code = applied(tmp_path)
    assert code.stat().st_mode & 0o077 == 0
    text.write_bytes(b"evil")
    exchange, lines = start(tmp_path)
    assert (lines, exchange.one("hello")["cached"]) == ([], True)
    assert finish(exchange) == ""


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data[:40] + b"x" + data[41:], lambda data: b"", lambda data: data[:32]]
)
def test_damaged_code_is_not_run(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    text, code = applied(tmp_path)
    whole = code.read_bytes()
    code.write_bytes(damage(whole))
    assert applied(tmp_path) == [text, code]
    assert code.read_bytes() == whole


def test_code_of_another_agent_or_python_is_removed(tmp_path: Path) -> None:
    text, code = applied(tmp_path)
    code.rename(text.with_name(f"{text.name}.cpython-3060000"))
    other = text.with_name("0" * 64)
    for name in (other, other.with_name(f"{other.name}.cpython-30b07f0")):
        name.write_bytes(b"")
    assert applied(tmp_path) == [text, code]
    assert not other.exists()
    assert [path.name for path in (tmp_path / "home").glob("0*")] == []
