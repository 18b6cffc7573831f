"""Seccomp filters by what they do to a program inside."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from skiff.linux import libseccomp
from skiff.oci import seccomp
from skiff.spec.defaults import CAPABILITIES
from skiff.spec.seccomp_profile import default_profile
from tests.root.oci import Oci

ALLOW = "SCMP_ACT_ALLOW"
# A call by its number, so that no library stands between.
CALLER = """
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int count, char **words) {
    long a[6] = {0};
    for (int i = 2; i < count; i++) a[i - 2] = strtoul(words[i], 0, 0);
    errno = 0;
    long result = syscall(atol(words[1]), a[0], a[1], a[2], a[3], a[4], a[5]);
    printf("%d\\n", result < 0 ? errno : 0);
    return 0;
}
"""
PERSONALITY = "135"
X86_64 = os.uname().machine == "x86_64"
pytestmark = pytest.mark.skipif(not X86_64, reason="numbers of calls are those of x86_64")


@pytest.fixture(scope="session")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("caller")
    (path / "call.c").write_text(CALLER)
    subprocess.run(["gcc", "-static", "-o", path / "call", path / "call.c"], check=True)
    return path / "call"


@pytest.fixture
def filtered(oci: Oci, caller: Path) -> Oci:
    """With a program that makes one call."""
    (oci.box.rootfs / "bin" / "call").write_bytes(caller.read_bytes())
    (oci.box.rootfs / "bin" / "call").chmod(0o755)
    return oci


def rule(action: str, *names: str, **more: Any) -> dict[str, Any]:
    return {"names": list(names), "action": action, **more}


def profile(*rules: dict[str, Any], default: str = ALLOW, **more: Any) -> dict[str, Any]:
    return {"seccomp": {"defaultAction": default, "syscalls": list(rules), **more}}


def arg(op: str, value: int, two: int = 0, index: int = 0) -> dict[str, Any]:
    return {"index": index, "value": value, "valueTwo": two, "op": f"SCMP_CMP_{op}"}


@pytest.mark.parametrize("nnp", [False, True])
def test_errno(filtered: Oci, nnp: bool) -> None:
    linux = profile(rule("SCMP_ACT_ERRNO", "mkdir", errnoRet=77), rule("SCMP_ACT_ERRNO", "rmdir"))
    done = filtered.run(
        "sh", "-c", "call 83 0; call 84 0; grep Seccomp: /proc/self/status", linux=linux, process={"noNewPrivileges": nnp}
    )
    assert done.stdout.split() == ["77", "1", "Seccomp:", "2"]


@pytest.mark.parametrize(
    ("action", "code"),
    [("SCMP_ACT_KILL", 159), ("SCMP_ACT_KILL_THREAD", 159), ("SCMP_ACT_KILL_PROCESS", 159), ("SCMP_ACT_TRAP", 159)],
)
def test_killing_actions(filtered: Oci, action: str, code: int) -> None:
    done = filtered.run("sh", "-c", "call 84 0; echo $?", linux=profile(rule(action, "rmdir")))
    assert done.stdout.split()[-1] == str(code)


def test_log_and_trace(filtered: Oci) -> None:
    linux = profile(rule("SCMP_ACT_LOG", "rmdir"), rule("SCMP_ACT_TRACE", "mkdir", errnoRet=5))
    assert filtered.said("sh", "-c", "call 84 0; call 83 0", linux=linux).split() == ["14", "38"]


@pytest.mark.parametrize(
    ("conditions", "denied", "allowed"),
    [
        ([arg("EQ", 8)], ["8"], ["9", "0"]),
        ([arg("NE", 8)], ["9"], ["8"]),
        ([arg("LT", 8)], ["7"], ["8"]),
        ([arg("LE", 8)], ["8"], ["9"]),
        ([arg("GT", 8)], ["9"], ["8"]),
        ([arg("GE", 8)], ["8"], ["7"]),
        ([arg("MASKED_EQ", 0xF, 8)], ["0x18"], ["0x19"]),
        ([arg("EQ", 8), arg("EQ", 16)], ["8", "16"], ["24"]),
        ([arg("EQ", 0xFFFFFFFF)], ["0xffffffff"], ["0"]),
    ],
)
def test_arguments(filtered: Oci, conditions: Any, denied: list[str], allowed: list[str]) -> None:
    linux = profile(rule("SCMP_ACT_ERRNO", "personality", errnoRet=99, args=conditions))
    script = "; ".join(f"call {PERSONALITY} {value}" for value in [*denied, *allowed])
    said = filtered.said("sh", "-c", script, linux=linux).split()
    assert [code == "99" for code in said] == [True] * len(denied) + [False] * len(allowed)


def test_flags_and_architectures(filtered: Oci) -> None:
    linux = profile(
        rule("SCMP_ACT_ERRNO", "rmdir", errnoRet=9),
        flags=["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"],
        architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    )
    assert filtered.said("call", "84", "0", linux=linux) == "9\n"


def test_dockers_profile(filtered: Oci) -> None:
    """Mount and unshare are refused, what does not exist is not there, and clone3 is not there either."""
    calls = {"165": "1", "272 0x10000000": "1", "435": "38", "999": "38", "425": "1", "41 40 1 0": "1", "39": "0", "135 0x4": "1"}
    said = filtered.said("sh", "-c", "; ".join(f"call {call}" for call in calls), linux={"seccomp": default_profile(CAPABILITIES)})
    assert dict(zip(calls, said.split())) == calls


def test_dockers_profile_follows_the_capabilities(filtered: Oci) -> None:
    chosen = [*CAPABILITIES, "CAP_SYS_ADMIN"]
    process = {"capabilities": dict.fromkeys(("bounding", "effective", "permitted"), chosen)}
    said = filtered.said("call", "272", "0x4000000", linux={"seccomp": default_profile(chosen)}, process=process)
    assert said == "0\n"


def test_a_profile_with_hardly_a_call_will_do(filtered: Oci) -> None:
    """What the runtime itself does between filter and exec must not need more than the program does."""
    names = "execve brk arch_prctl set_tid_address set_robust_list rseq prlimit64 readlink getrandom mprotect newfstatat fstat"
    names += " write exit_group capset prctl readlinkat read mmap munmap"
    linux = profile(rule(ALLOW, *names.split()), default="SCMP_ACT_KILL_PROCESS")
    assert filtered.said("call", "39", linux=linux, check=False) == ""
    assert filtered.said("call", "1", linux=linux) == "0\n"


def test_the_compiled_filter_is_kept(filtered: Oci) -> None:
    linux = profile(rule("SCMP_ACT_ERRNO", "rmdir", errnoRet=55))
    assert filtered.said("call", "84", "0", linux=linux) == "55\n"
    [kept] = (filtered.root / seccomp.CACHE).iterdir()
    assert kept.stat().st_mode & 0o77 == 0 or (filtered.root / seccomp.CACHE).stat().st_mode & 0o77 == 0
    before = kept.stat().st_ino
    assert filtered.said("call", "84", "0", linux=linux) == "55\n"
    assert [path.stat().st_ino for path in (filtered.root / seccomp.CACHE).iterdir()] == [before]
    kept.write_bytes(b"")
    assert filtered.said("call", "84", "0", linux=linux) == "55\n"
    assert json.loads(filtered("list", "--format", "json").stdout) == []


def test_a_filter_is_compiled_once_for_each_profile_capabilities_and_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiled: list[Any] = []
    really = seccomp.compile_profile

    def counted(wanted: Any) -> bytes:
        compiled.append(wanted)
        return really(wanted)

    monkeypatch.setattr(seccomp, "compile_profile", counted)
    profiles = [default_profile([*CAPABILITIES, *more]) for more in ([], ["CAP_SYS_ADMIN"])]  # now, as it is this machine's
    for count in (4, 4):  # the second time all of them are found
        for machine in ("x86_64", "another"):
            monkeypatch.setattr(os, "uname", lambda machine=machine: os.uname_result(("Linux", "host", "6.1", "1", machine)))
            for one in profiles:
                seccomp.load(one, str(tmp_path))
        assert len(compiled) == len(list((tmp_path / seccomp.CACHE).iterdir())) == count


def test_exec_is_filtered_as_the_first_process(filtered: Oci) -> None:
    spec = filtered.box.spec()
    bundle = filtered.bundle("a", "sleep", "100", linux={**spec["linux"], **profile(rule("SCMP_ACT_ERRNO", "rmdir", errnoRet=66))})
    filtered("run", "-d", "-b", str(bundle), "a")
    assert filtered("exec", "a", "call", "84", "0").stdout == "66\n"
    filtered("delete", "-f", "a")


def test_notifications_go_to_the_listener(filtered: Oci, tmp_path: Path) -> None:
    """The listener is told of the container, and has the descriptor of the kernel's questions."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "listener"))
    listener.listen(1)
    told: list[Any] = []

    def serve() -> None:
        connection, _ = listener.accept()
        data, fds, _, _ = socket.recv_fds(connection, 65536, 4)
        told.extend((json.loads(data), os.readlink(f"/proc/self/fd/{fds[0]}")))
        os.close(fds[0])  # so that the kernel answers ENOSYS
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    more = {"listenerPath": str(tmp_path / "listener"), "listenerMetadata": "of ours"}
    said = filtered.said("call", "84", "0", linux=profile(rule("SCMP_ACT_NOTIFY", "rmdir"), **more), annotations={"a": "b"})
    thread.join()
    listener.close()
    document, target = told
    assert said == "38\n"
    assert target == "anon_inode:seccomp notify"
    assert (document["fds"], document["metadata"], document["state"]["status"]) == (["seccompFd"], "of ours", "creating")
    assert document["pid"] == document["state"]["pid"] > 1
    assert document["state"]["annotations"] == {"a": "b"}


def test_a_listener_that_is_not_there_is_an_error(filtered: Oci) -> None:
    linux = profile(rule("SCMP_ACT_NOTIFY", "rmdir"), listenerPath="/nosuch")
    assert filtered.refused("true", linux=linux) == "skiff-oci: linux.seccomp.listenerPath: /nosuch: no such file or directory\n"


def test_without_libseccomp_it_is_refused_by_name(filtered: Oci, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(libseccomp, "LIBRARY", "libnosuch.so.0")
    with pytest.raises(Exception, match=r"seccomp: libnosuch\.so\.0 is not installed on this host: install libseccomp"):
        seccomp.load(profile()["seccomp"], str(tmp_path))
