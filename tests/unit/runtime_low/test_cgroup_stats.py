"""Statistics from files as kernels write them, and as runc's events show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skiff.cgroup import stats, v1_stats, v2_stats
from skiff.cli.oci import events
from skiff.errors import InvalidInput

V2: dict[str, str] = {
    "cpu.stat": "usage_usec 7000\nuser_usec 4000\nsystem_usec 3000\nnr_periods 9\nnr_throttled 2\nthrottled_usec 50\n",
    "memory.current": "4096\n", "memory.peak": "8192\n", "memory.max": "max\n", "memory.swap.current": "100\n",
    "memory.swap.max": "1000\n", "memory.stat": "anon 10\nfile 20\nkernel 30\nsock 5\n", "memory.events": "max 3\noom_kill 1\n",
    "pids.current": "4\n", "pids.max": "max\n", "cpuset.cpus": "0-2,5\n", "cpuset.mems": "\n",
    "io.stat": "8:0 rbytes=512 wbytes=1024 rios=1 wios=2 dbytes=0 dios=0\n253:1 \n",
    "hugetlb.2MB.current": "2097152\n", "hugetlb.2MB.max": "max\n", "hugetlb.2MB.events": "max 7\n",
    "hugetlb.2MB.rsvd.max": "max\n",
    "rdma.current": "mlx5_0 hca_handle=1 hca_object=2\n", "rdma.max": "mlx5_0 hca_handle=5 hca_object=max\n",
    "misc.current": "sev 1\n", "misc.max": "sev 10\nsev_es max\n",
}  # fmt: skip


def fill(directory: Path, files: dict[str, str]) -> str:
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return str(directory)


def test_version_2(tmp_path: Path) -> None:
    found = v2_stats.read(fill(tmp_path / "c", V2))
    assert (found["cpu"]["total"], found["cpu"]["user"], found["cpu"]["kernel"]) == (7_000_000, 4_000_000, 3_000_000)
    assert (found["cpu"]["periods"], found["cpu"]["throttled_periods"], found["cpu"]["throttled_time"]) == (9, 2, 50_000)
    assert found["cpuset"]["cpus"] == [0, 1, 2, 5]
    assert found["memory"]["usage"] == {"usage": 4096, "max": 8192, "limit": stats.UNLIMITED, "failcnt": 3}
    assert found["memory"]["swap"] == {"usage": 4196, "limit": stats.UNLIMITED, "failcnt": 0}
    assert (found["memory"]["cache"], found["memory"]["kernel"]) == (20, {"usage": 30})
    assert found["pids"] == {"usage": 4, "limit": 0}
    assert found["io"] == {
        "service_bytes": [row("Read", 512), row("Write", 1024)],
        "serviced": [row("Read", 1), row("Write", 2)],
    }
    assert found["hugetlb"] == {"2MB": {"usage": 2_097_152, "limit": stats.UNLIMITED, "failcnt": 7}}
    assert found["rdma"] == {
        "mlx5_0": {"hca_handle": {"usage": 1, "limit": 5}, "hca_object": {"usage": 2, "limit": stats.UNLIMITED}}
    }
    assert found["misc"] == {"sev": {"usage": 1, "limit": 10}, "sev_es": {"usage": 0, "limit": stats.UNLIMITED}}


def row(op: str, value: int) -> dict[str, Any]:
    return {"major": 8, "minor": 0, "op": op, "value": value}


def test_memory_and_swap_are_added_where_both_are_limited(tmp_path: Path) -> None:
    found = v2_stats.read(fill(tmp_path / "c", {"memory.max": "5000", "memory.swap.max": "1000", "memory.current": "10"}))
    assert found["memory"]["swap"] == {"usage": 10, "limit": 6000, "failcnt": 0}


V1 = {
    "cpu": {"cpu.stat": "nr_periods 9\nnr_throttled 2\nthrottled_time 50\n"},
    "cpuacct": {
        "cpuacct.usage": "700\n", "cpuacct.stat": "user 3\nsystem 4\n", "cpuacct.usage_percpu": "300 400 \n",
        "cpuacct.usage_all": "cpu user system\n0 100 200\n1 300 100\n",
    },
    "blkio": {
        "blkio.bfq.io_serviced_recursive": "Total 0\n",
        "blkio.throttle.io_service_bytes_recursive": "8:0 Read 512\n8:0 Total 512\nTotal 512\n",
        "blkio.throttle.io_serviced_recursive": "8:0 Read 1\nTotal 1\n",
    },
    "hugetlb": {
        "hugetlb.2MB.usage_in_bytes": "5\n", "hugetlb.2MB.limit_in_bytes": "10\n", "hugetlb.2MB.max_usage_in_bytes": "7\n",
        "hugetlb.2MB.failcnt": "1\n", "hugetlb.2MB.rsvd.limit_in_bytes": "10\n",
    },
}  # fmt: skip


def test_version_1_with_controllers_that_are_not_mounted(tmp_path: Path) -> None:
    for controller, files in V1.items():
        fill(tmp_path / controller, files)
    found = v1_stats.read(lambda controller: str(tmp_path / controller))
    assert found["cpu"] == {
        "total": 700, "user": 30_000_000, "kernel": 40_000_000, "percpu": [300, 400], "percpu_user": [100, 300],
        "percpu_kernel": [200, 100], "periods": 9, "throttled_periods": 2, "throttled_time": 50,
    }  # fmt: skip
    assert found["io"] == {"service_bytes": [row("Read", 512), row("Total", 512)], "serviced": [row("Read", 1)]}
    assert found["hugetlb"] == {"2MB": {"usage": 5, "max": 7, "limit": 10, "failcnt": 1}}
    assert found["memory"]["usage"] == {"usage": 0, "max": 0, "limit": 0, "failcnt": 0}
    assert (found["pids"], found["rdma"], found["misc"]) == ({"usage": 0, "limit": 0}, {}, {})


def test_events_leave_out_what_runc_leaves_out(tmp_path: Path) -> None:
    shown = events.document(v2_stats.read(fill(tmp_path / "c", {"memory.max": "max", "io.stat": "8:0 rbytes=0 wbytes=5\n"})))
    assert json.loads(json.dumps(shown)) == {
        "cpu": {"usage": {"kernel": 0, "user": 0}, "throttling": {}},
        "cpuset": dict.fromkeys(events.CPUSET_FLAGS, 0),
        "memory": {
            "usage": {"limit": stats.UNLIMITED, "failcnt": 0},
            "swap": {"limit": stats.UNLIMITED, "failcnt": 0},
            "kernel": {"limit": 0, "failcnt": 0},
            "kernelTCP": {"limit": 0, "failcnt": 0},
        },
        "pids": {},
        "blkio": {"ioServiceBytesRecursive": [{"major": 8, "op": "Read"}, {"major": 8, "op": "Write", "value": 5}]},
        "hugetlb": {},
        "intel_rdt": {},
        "network_interfaces": None,
    }


@pytest.mark.parametrize(
    ("text", "seconds"), [("5s", 5.0), ("1m30s", 90.0), ("100ms", 0.1), ("1.5h", 5400.0), ("1h0m1s", 3601.0), ("2us", 2e-6)]
)
def test_durations(text: str, seconds: float) -> None:
    assert events.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "0s", "-1s", "1x", "1s2", "1..5s", ".s", "five"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="a duration above 0 is wanted"):
        events.duration(text)
