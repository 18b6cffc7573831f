"""Programs that the agent runs: what they are given to read and to write to, and how they end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from fleet.agent import child, output, process
from fleet.agent.errors import AgentError

STREAMS = ["stat", "-L", "-c", "%F", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"]
FIFO = "fifo"
ENOUGH = 3.0  # seconds in which a shell has begun, on a machine that is busy too


def test_streams_are_what_a_domain_of_selinux_may_inherit() -> None:
    """It may use pipes of who started it, and no file of theirs: in its place it would get /dev/null."""
    assert process.run(STREAMS).stdout.split("\n") == ["character special file", FIFO, FIFO, ""]
    assert process.run(STREAMS, given=[b"x"]).stdout.split() == [FIFO] * 3


def test_a_transaction_writes_to_files(tmp_path: Path) -> None:
    """For its agent may die under it."""
    log = tmp_path / "log"
    done = process.run(["sh", "-c", f"echo begun; {' '.join(STREAMS)}"], log=str(log))
    assert done.stdout.split("\n") == ["begun", "character special file", "regular file", "regular empty file", ""]
    assert log.read_text() == done.stdout


def test_more_than_a_pipe_holds_goes_in_and_comes_out() -> None:
    given = [bytes([65 + number]) * (300 << 10) for number in range(3)]
    done = process.run(["sh", "-c", "tee /dev/stderr"], given=given)
    assert (done.status, done.stdout.encode(), done.stderr.encode()) == (0, b"".join(given), b"".join(given))


@pytest.mark.parametrize("argv", [["true"], ["sh", "-c", "exec <&-; echo over; exit 3"]])
def test_a_program_need_not_read_what_it_is_given(argv: list[str]) -> None:
    assert process.run(argv, given=[bytes(1 << 20)] * 2).status in (0, 3)


def test_nothing_is_started_where_what_it_should_read_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        process.run(["touch", str(tmp_path / "ran")], given=(bytes(1 // number) for number in [0]))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("error", "raised"), [(OSError(5, "bad disk"), AgentError), (KeyError("k"), KeyError)])
def test_one_whose_input_fails_half_way_runs_no_more(tmp_path: Path, error: Exception, raised: type[Exception]) -> None:
    def given() -> Iterator[bytes]:
        yield b"half\n"
        assert wait_for(pid.exists)
        raise error

    pid = tmp_path / "pid"
    with pytest.raises(raised):
        process.run(["sh", "-c", f"read half; echo $$ >{pid}.new; mv {pid}.new {pid}; exec sleep 300"], given=given())
    assert not os.path.exists(f"/proc/{int(pid.read_text())}")


def test_an_empty_piece_is_not_the_end_of_what_is_given() -> None:
    assert process.run(["cat"], given=[b"", b"a", b"", b"b"]).stdout == "ab"


def test_of_endless_output_beginning_and_end_are_kept() -> None:
    size = 3 * output.LARGEST
    done = process.run(["sh", "-c", f"echo first; head -c {size} /dev/zero; echo last; echo said >&2"])
    assert (done.stdout[:6], done.stdout[-5:], done.stderr) == ("first\n", "last\n", "said\n")
    left = int(done.stdout.partition("\n... ")[2].partition(" bytes were left out\n")[0])
    kept = len(done.stdout) - len(f"\n... {left} bytes were left out\n")
    assert left + kept == size + len("first\nlast\n")
    assert len(done.stdout) <= output.LARGEST + 100


def test_what_it_leaves_running_holds_nobody_up() -> None:
    done = process.run(["sh", "-c", "sleep 300 & echo $!"])
    left = int(done.stdout)
    os.kill(left, signal.SIGKILL)  # it ran still


def test_one_whose_time_ran_out_takes_back_what_it_began(tmp_path: Path) -> None:
    script = f"touch {tmp_path}/begun; trap 'rm {tmp_path}/begun; echo back; exit 0' TERM; sleep 300 & echo $!; wait"
    done = process.run(["sh", "-c", script], timeout=ENOUGH)
    pid, said = done.stdout.split()
    assert (done.status, said, os.listdir(tmp_path)) == (process.TIMED_OUT, "back", [])
    assert wait_for(lambda: not alive(int(pid))), "it left a process running"


def wait_for(holds: Callable[[], bool]) -> bool:
    """Whether it does so, within some seconds."""
    for _ in range(200):
        if holds():
            return True
        time.sleep(0.05)
    return False


def alive(pid: int) -> bool:
    """Whether it runs: one that has ended may be there still, until somebody asks how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_one_that_will_not_end_is_made_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "GRACE", 0.2)
    done = process.run(["sh", "-c", "trap '' TERM; echo $$; while :; do sleep 1; done"], timeout=ENOUGH)
    assert done.status == process.TIMED_OUT
    assert not os.path.exists(f"/proc/{int(done.stdout)}")


@pytest.mark.parametrize("argv", [["true"], ["no-such-program"], ["sh", "-c", "exec >&- 2>&-; exit 5"]])
@pytest.mark.parametrize("given", [[], [b"x"]])
def test_no_descriptor_is_left(argv: list[str], given: list[bytes]) -> None:
    before = os.listdir("/proc/self/fd")
    assert process.run(argv, given=given).status in (0, 5, process.MISSING)
    assert len(os.listdir("/proc/self/fd")) == len(before)
