"""The same command lines through runc and through skiff-oci, on a container each: the same exit status."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import Any, Iterator

import pytest

from skiff.cli.oci import options, usage
from skiff.linux import prctl
from tests.contract.runc.bench import THEIRS, Bench
from tests.contract.runc.mutation import Mutation

# In this order, for some change what the next one finds.
LINES = r"""
help
help run
run --help
exec -h
help nosuch
nosuch
--bogus list
--log-format yaml list
--log /nowhere/log list
--log-format json state nosuch
state
state nosuch
state live live
state ../live
list
list -q
list -f json
list --format=xml
list extra
features extra
spec extra
spec -b /nowhere
spec
run
run live
run --bogus other
run -b /nowhere other
run a/b
create live
create other extra
start
start live
start nosuch
delete nosuch
delete --force nosuch
delete live
kill nosuch
kill live NOSUCH
kill live 99
kill live 0
kill live SIGURG
kill live urg
kill live -KILL
kill --all live 0
kill live 0 --all
ps live
ps -f json live
ps --format xml live
ps live -o pid,comm
ps live -o comm
ps nosuch
pause live
pause live
start live
exec live true
exec --ignore-paused live
update --pids-limit 77 live
resume live
resume live
exec
exec live
exec nosuch true
exec live sh -c 'exit 7'
exec live sh -c 'kill -TERM $$; sleep 9'
exec live nosuch
exec live /bin
exec live -- true
exec --bogus live true
exec -it live true
exec --detach=maybe live true
exec --tty=false live true
exec -d live true
exec -u 5:6 -g 7 live id
exec -u x live id
exec -u 5: live id
exec -g x live id
exec -e A=b live env
exec -e A live env
exec --cwd /srv live true
exec --cwd /nowhere live true
exec --cwd srv live true
exec --cap CAP_OF_NOTHING live true
exec --cap CAP_KILL live true
exec --no-new-privs live true
exec --process nowhere live
exec --cgroup nosuch live true
exec --preserve-fds x live true
exec --console-socket x live true
exec --apparmor x live true
exec --process-label x live true
update live
update nosuch
update --memory x live
update --memory 64MiB live
update --memory 1k live
update --memory -1 live
update --memory 64m --memory-swap 32m live
update --memory-reservation 32m live
update --cpu-share 512 live
update --cpu-share 1 live
update --cpu-quota 50000 --cpu-period 100000 live
update --cpu-quota 1.5 live
update --cpu-period 1 live
update --cpuset-cpus 0 live
update --cpuset-cpus 999 live
update --cpuset-cpus x live
update --cpuset-mems 99 live
update --pids-limit -1 live
update --pids-limit x live
update --blkio-weight 300 live
update --l3-cache-schema x live
update -r nowhere live
events --stats live
events --stats nosuch
events --interval 0s --stats live
events --interval x --stats live
checkpoint live
restore nosuch
kill live KILL
delete --force live
state live
""".strip().splitlines()


def call(bench: Bench, runtime: str, words: list[str]) -> subprocess.CompletedProcess[str]:
    command = [runtime, "--root", str(bench.path / f"commands-{'runc' if runtime == THEIRS else 'ours'}"), *words]
    with open(bench.path / "output", "w+", errors="replace") as out, open(bench.path / "errors", "w+", errors="replace") as err:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=bench.environment(), cwd=bench.bundle, timeout=60
        )
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, out.read(), err.read())


@pytest.fixture(scope="module")
def runtimes(bench: Bench) -> Iterator[list[str]]:
    """Each has a container of the name `live` of one bundle; whom it leaves the machine reaps, or `delete` would wait."""
    prctl.prctl(prctl.PR_SET_CHILD_SUBREAPER, 0)
    runtimes = [THEIRS, bench.ours]
    try:
        for number, runtime in enumerate(runtimes):
            cgroup = f"{bench.cgroup}/commands-{number}"
            patch: dict[str, Any] = {"process.args": ["/bin/sleep", "1000"], "linux.cgroupsPath": cgroup}
            document = Mutation("live", patch).apply(bench.base, bench.places())
            if number == 0:
                bench.lay(document)
            else:
                bench.write(document)
            assert call(bench, runtime, ["run", "-d", "live"]).returncode == 0
        yield runtimes
    finally:
        for runtime in runtimes:
            call(bench, runtime, ["delete", "--force", "live"])
        prctl.prctl(prctl.PR_SET_CHILD_SUBREAPER, 1)


def test_exit_statuses_are_runcs(bench: Bench, runtimes: list[str]) -> None:
    differing = []
    for line in LINES:
        theirs, ours = (call(bench, runtime, shlex.split(line)) for runtime in runtimes)
        if theirs.returncode != ours.returncode:
            differing.append(f"{line}: runc {theirs.returncode} {theirs.stderr}, ours {ours.returncode} {ours.stderr}")
    assert not differing


@pytest.mark.parametrize("name", sorted(usage.COMMANDS))
def test_every_flag_of_runc_is_known_and_told(bench: Bench, name: str) -> None:
    theirs = set(re.findall(r"^   (?:-\w, )?--([\w-]+)", call(bench, THEIRS, [name, "--help"]).stdout, re.MULTILINE))
    known = usage.flags_of(name)
    assert theirs - {"help"} <= set(known)
    told = call(bench, bench.ours, [name, "--help"]).stdout
    assert told.startswith(f"Usage: skiff-oci {name}")
    assert "\nExample: skiff-oci" in told
    assert {flag for flag in theirs - {"help"} if known[flag] != options.REFUSED} <= set(re.findall(r"--([\w-]+)", told))
    for flag, kind in known.items():
        if kind.startswith("="):
            assert f"-{flag}, --{kind[1:]}" in told


def test_global_flags_are_runcs(bench: Bench) -> None:
    theirs = set(re.findall(r"^   --([\w-]+)", call(bench, THEIRS, ["--help"]).stdout.partition("GLOBAL")[2], re.MULTILINE))
    told = call(bench, bench.ours, ["--help"]).stdout
    assert theirs - {"criu"} <= set(re.findall(r"--([\w-]+)", told))  # criu is taken, and said nothing of


def test_without_a_log_json_goes_to_the_standard_error(bench: Bench, runtimes: list[str]) -> None:
    theirs, ours = (call(bench, runtime, ["--log-format", "json", "state", "nosuch"]).stderr for runtime in runtimes)
    for line in (theirs, ours):
        assert re.fullmatch(r'\{"level": ?"error", ?"msg": ?"container does not exist.*"time": ?".*"\}\n', line), line
