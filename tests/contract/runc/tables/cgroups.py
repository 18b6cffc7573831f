"""Mutations of `linux.resources` and `linux.cgroupsPath`: what the container reads of its own cgroup files."""

from __future__ import annotations

from typing import Any

from tests.contract.runc.mutation import GONE, Mutation


def resources(**parts: Any) -> dict[str, Any]:
    return {f"linux.resources.{name}": value for name, value in parts.items()}


def rules(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"linux.resources.devices": list(rows)}


NOTHING = {"allow": False, "access": "rwm"}
KMSG = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "rw"}
DEVICES = [
    Mutation("resources.devices: nothing", rules(NOTHING)),
    Mutation("resources.devices: everything", rules({"allow": True, "access": "rwm"})),
    Mutation("resources.devices: one more", rules(NOTHING, KMSG)),
    Mutation("resources.devices: a whole major", rules(NOTHING, {"allow": True, "type": "b", "major": 7, "access": "rwm"})),
    Mutation("resources.devices: granted and taken", rules(NOTHING, KMSG, {**KMSG, "allow": False, "access": "w"})),
    Mutation("resources.devices: one denied of all", rules({"allow": True, "access": "rwm"}, {**KMSG, "allow": False})),
    Mutation("resources.devices: not given", {"linux.resources.devices": GONE}),
    Mutation("resources.devices: -1 is any", rules(NOTHING, {**KMSG, "minor": -1})),
    Mutation("resources.devices: bad access", rules({**KMSG, "access": "rx"}), refused="linux.resources.devices[0].access"),
    Mutation("resources.devices: bad type", rules({**KMSG, "type": "q"}), refused="linux.resources.devices[0].type"),
]
MEMORY = [
    *(
        Mutation(f"memory: {values}", resources(memory=values))
        for values in (
            {"limit": 64 << 20},
            {"limit": -1},
            {"reservation": 32 << 20},
            {"limit": 64 << 20, "swap": 128 << 20},
            {"limit": 64 << 20, "swap": 64 << 20},
            {"limit": 64 << 20, "swap": -1},
            {"swappiness": 30},
            {"swappiness": 0},
            {"disableOOMKiller": True, "limit": 64 << 20},
            {"useHierarchy": True},
            {"limit": 64 << 20, "kernel": 32 << 20},
            {"limit": 64 << 20, "kernelTCP": 32 << 20},
            {"limit": 0},
            {},
        )
    ),
    Mutation(
        "memory: swap below the limit",
        resources(memory={"limit": 64 << 20, "swap": 32 << 20}),
        refused="linux.resources.memory.swap",
    ),
    Mutation("memory: swap without a limit", resources(memory={"swap": 128 << 20}), refused="memory"),
    Mutation("memory: swappiness 101", resources(memory={"swappiness": 101}), refused="linux.resources.memory.swappiness"),
    Mutation("memory: a limit as text", resources(memory={"limit": "64m"}), refused="linux.resources.memory.limit"),
    Mutation("memory: too little to start", resources(memory={"limit": 4096}), refused="memory"),
]
CPU = [
    *(
        Mutation(f"cpu: {values}", resources(cpu=values))
        for values in (
            {"shares": 512},
            {"shares": 2},
            {"shares": 0},
            {"quota": 50000},
            {"quota": 50000, "period": 20000},
            {"quota": -1},
            {"period": 50000},
            {"cpus": "0"},
            {"cpus": "0-1", "mems": "0"},
            {"mems": "0"},
            {"quota": 50000, "burst": 10000},
            {"idle": 1},
            {},
        )
    ),
    Mutation("cpu: shares below the least", resources(cpu={"shares": 1}), refused="linux.resources.cpu.shares"),
    Mutation("cpu: shares above the most", resources(cpu={"shares": 2**20}), refused="linux.resources.cpu.shares"),
    Mutation("cpu: a period too long", resources(cpu={"period": 10**7}), refused="cpu"),
    Mutation("cpu: a quota too small", resources(cpu={"quota": 10}), refused="cpu"),
    Mutation("cpu: processors that are not here", resources(cpu={"cpus": "4000"}), refused="cpu"),
    Mutation("cpu: processors as a word", resources(cpu={"cpus": "all"}), refused="linux.resources.cpu.cpus"),
    Mutation("cpu: negative shares", resources(cpu={"shares": -1}), refused="linux.resources.cpu.shares"),
    Mutation("cpu: real time", resources(cpu={"realtimeRuntime": 1000, "realtimePeriod": 100000}), refused="cpu"),
]
OTHERS = [
    *(Mutation(f"pids: {number}", resources(pids={"limit": number})) for number in (100, 0, -1, 10**6)),
    Mutation("pids: text", resources(pids={"limit": "many"}), refused="linux.resources.pids.limit"),
    Mutation("pids: too few for the probe", resources(pids={"limit": 1})),
    Mutation("blockIO: weight", resources(blockIO={"weight": 300})),
    Mutation("blockIO: weight 5", resources(blockIO={"weight": 5})),
    Mutation("blockIO: weight 1001", resources(blockIO={"weight": 1001}), refused="blkio"),
    *(
        Mutation(f"blockIO: {kind}", resources(blockIO={kind: [{"major": 7, "minor": 0, "rate": 1048576}]}))
        for kind in ("throttleReadBpsDevice", "throttleWriteBpsDevice", "throttleReadIOPSDevice", "throttleWriteIOPSDevice")
    ),
    Mutation(
        "blockIO: a device that is not here",
        resources(blockIO={"throttleReadBpsDevice": [{"major": 4000, "minor": 0, "rate": 1}]}),
        refused="blkio",
    ),
    Mutation(
        "hugepageLimits: a bad size",
        resources(hugepageLimits=[{"pageSize": "2 apples", "limit": 1}]),
        refused="hugepageLimits[0].pageSize",
    ),
    Mutation("network: classID as text", resources(network={"classID": "one"}), refused="linux.resources.network.classID"),
    Mutation("rdma: a device", resources(rdma={"mlx5_0": {"hcaHandles": 3}}), perhaps="linux.resources.rdma"),
    Mutation("unified: on version 1", resources(unified={"memory.high": "64M"}), refused="unified"),
    Mutation("resources: not given", {"linux.resources": GONE}),
    Mutation("resources: a list", {"linux.resources": [1]}, refused="linux.resources"),
    Mutation("cgroupsPath: other", {"linux.cgroupsPath": "{cgroup}/other"}),
    Mutation("cgroupsPath: a number", {"linux.cgroupsPath": 7}, refused="linux.cgroupsPath"),
]
ROWS: list[Mutation] = [*DEVICES, *MEMORY, *CPU, *OTHERS]
