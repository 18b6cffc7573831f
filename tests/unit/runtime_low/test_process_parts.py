"""What is made of a process's document before anything is forked, and what is said when it goes wrong."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from skiff.errors import Unsupported
from skiff.linux import namespaces as ns
from skiff.oci import failure, hooks, labels
from skiff.oci.explain import explain
from skiff.oci.mappings import Mappings
from skiff.oci.namespaces import NamespacePlan
from skiff.oci.process import ProcessPlan, ignored_capabilities, processors
from skiff.oci.steps import EntrantPlan

PROCESS: Any = {"args": ["/bin/x"], "cwd": "/y", "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 5, "hard": 1 << 63}]}


def plan() -> EntrantPlan:
    return EntrantPlan(NamespacePlan({}, Mappings([], [])), ProcessPlan(PROCESS), [])


@pytest.mark.parametrize(
    ("step", "number", "message"),
    [
        (failure.CWD, errno.ENOENT, 'chdir to cwd ("/y") set in config.json failed: no such file or directory'),
        (
            failure.LIMITS,
            errno.EPERM,
            "error setting rlimits for RLIMIT_NOFILE: the hard limit unlimited is above that of skiff-oci",
        ),
        (failure.COMMAND, failure.NOT_IN_PATH, 'exec: "/bin/x": executable file not found in $PATH'),
        (failure.USER, failure.NO_SETGROUPS, "process.user.additionalGids: this user namespace forbids other groups"),
        (failure.SECCOMP, errno.EINVAL, "could not set up seccomp: invalid argument"),
        (failure.EXEC, errno.ENOEXEC, "exec /bin/x: exec format error"),
        (failure.KEYRING, failure.INTERNAL, "could not set up keyring: an internal error"),
    ],
)
def test_numbers_as_words(step: int, number: int, message: str) -> None:
    assert str(explain(plan(), step, number, 0)).startswith(message)


def test_every_step_has_a_name_and_no_request_is_a_step() -> None:
    assert failure.NAMES[failure.START_HOOK] == "startContainer hook"
    assert failure.NAMES[failure.EXEC] == "exec"
    assert min(failure.MAPS, failure.CHILD, failure.HOOKS, failure.LISTENER) > len(failure.NAMES)


def test_namespaces_are_made_or_joined() -> None:
    made = NamespacePlan({"user": "", "pid": "", "uts": "", "network": "/proc/self/ns/net", "time": ""}, Mappings([], []))
    try:
        assert (made.made, made.new_pid, made.new_user, made.new_time, made.users) == (ns.CLONE_NEWUTS, True, True, True, True)
        assert [kind for _, kind in made.joined] == [ns.CLONE_NEWNET]
    finally:
        made.close()
    assert made.descriptors() == ()


@pytest.mark.parametrize(("text", "numbers"), [("", set()), ("3", {3}), ("0-2,7", {0, 1, 2, 7})])
def test_lists_of_processors(text: str, numbers: set[int]) -> None:
    assert processors(text) == numbers


def test_ignored_capabilities_are_named() -> None:
    asked = {"bounding": ["CAP_FLY", "CAP_KILL"], "ambient": ["CAP_SWIM"]}
    assert ignored_capabilities({"capabilities": asked}, everything=True) == ["CAP_FLY", "CAP_SWIM"]  # type: ignore[typeddict-item]


def test_a_label_is_written_where_the_kernel_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "selinux_enabled", lambda: True)
    label = labels.for_exec({"selinuxLabel": "a:b:c"})
    assert label is not None
    assert (label.path, label.text) == ("/proc/thread-self/attr/exec", b"a:b:c")
    monkeypatch.setattr(labels, "apparmor_enabled", lambda: True)
    label = labels.for_exec({"apparmorProfile": "mine"})
    assert label is not None
    assert label.text == b"exec mine"
    monkeypatch.setattr(labels, "apparmor_enabled", lambda: False)
    with pytest.raises(Unsupported, match="apparmor not supported"):
        labels.for_exec({"apparmorProfile": "mine"})


def test_a_hook_gets_its_state_whole_and_signals_as_they_were(tmp_path: os.PathLike[str]) -> None:
    """More than a pipe holds; and SIGPIPE, which Python ignores, ends a program again."""
    output = os.memfd_create("output")
    try:
        state = b"x" * (1 << 20)
        script = "wc -c; grep SigIgn /proc/self/status"
        [hook] = hooks.plan([{"path": "/bin/sh", "args": ["sh", "-c", script]}], {b"PATH": b"/usr/bin:/bin"})
        assert hooks.run(hook, state, output) == 0
        assert os.pread(output, 4096, 0).split() == [b"1048576", b"SigIgn:", b"0000000000000000"]
    finally:
        os.close(output)


def test_the_environment_of_a_hook() -> None:
    rows: Any = [{"path": "/x"}, {"path": "/x", "env": ["A=b=c"]}, {"path": "/x", "env": []}]
    outside, given, none = hooks.plan_outer(rows)
    assert outside.env[b"PATH"] == os.environb[b"PATH"]
    assert (given.env, none.env, given.args) == ({b"A": b"b=c"}, {}, [b"/x"])
    assert hooks.plan(rows, {b"C": b"d"})[0].env == {b"C": b"d"}
