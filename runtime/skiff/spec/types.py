"""The parts of an OCI config.json that Skiff acts on, as types; at run time they are plain dictionaries."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, TypedDict

    Status = Literal["creating", "created", "running", "paused", "stopped"]

    class Root(TypedDict, total=False):
        """The container's root file system."""

        path: str
        readonly: bool

    class Mount(TypedDict, total=False):
        """One mount; `options` mixes flags and file system data, as fstab does."""

        destination: str
        type: str
        source: str
        options: list[str]
        uidMappings: list[IdMapping]
        gidMappings: list[IdMapping]

    class IdMapping(TypedDict):
        """A range of a user namespace's ids and the host's ids that they are."""

        containerID: int
        hostID: int
        size: int

    class User(TypedDict, total=False):
        """Who the process is. `username` (name, uid, or either with :group) is looked up in the container's own files."""

        uid: int
        gid: int
        umask: int
        additionalGids: list[int]
        username: str

    class Capabilities(TypedDict, total=False):
        """The five sets."""

        bounding: list[str]
        effective: list[str]
        inheritable: list[str]
        permitted: list[str]
        ambient: list[str]

    class Rlimit(TypedDict):
        """One resource limit."""

        type: str
        soft: int
        hard: int

    class ConsoleSize(TypedDict):
        """A terminal's size in characters."""

        height: int
        width: int

    class Scheduler(TypedDict, total=False):
        """sched_setattr's numbers; times are nanoseconds."""

        policy: str
        nice: int
        priority: int
        flags: list[str]
        runtime: int
        deadline: int
        period: int

    # "class" is no name that the other notation takes.
    IOPriority = TypedDict("IOPriority", {"class": str, "priority": int}, total=False)

    class Affinity(TypedDict, total=False):
        """Processors for a process of exec, before and after it is in the container's cgroup."""

        initial: str
        final: str

    class Process(TypedDict, total=False):
        """The program that becomes the container's first process."""

        terminal: bool
        user: User
        args: list[str]
        env: list[str]
        cwd: str
        capabilities: Capabilities
        rlimits: list[Rlimit]
        noNewPrivileges: bool
        oomScoreAdj: int
        consoleSize: ConsoleSize
        apparmorProfile: str
        selinuxLabel: str
        scheduler: Scheduler
        ioPriority: IOPriority
        execCPUAffinity: Affinity

    class Hook(TypedDict, total=False):
        """A program to run at a point of the container's life; `timeout` in seconds."""

        path: str
        args: list[str]
        env: list[str]
        timeout: int

    class Hooks(TypedDict, total=False):
        """Hooks by their stage."""

        prestart: list[Hook]
        createRuntime: list[Hook]
        createContainer: list[Hook]
        startContainer: list[Hook]
        poststart: list[Hook]
        poststop: list[Hook]

    class TimeOffset(TypedDict, total=False):
        """How far a clock is ahead in a time namespace."""

        secs: int
        nanosecs: int

    class Personality(TypedDict, total=False):
        """An execution domain."""

        domain: str
        flags: list[str]

    class Namespace(TypedDict, total=False):
        """A namespace of a kind: made new, or joined by path."""

        type: str
        path: str

    class Device(TypedDict, total=False):
        """A device node to make."""

        type: str
        path: str
        major: int
        minor: int
        fileMode: int
        uid: int
        gid: int

    class DeviceRule(TypedDict, total=False):
        """One rule of the device cgroup; a missing number means any."""

        allow: bool
        type: str
        major: int
        minor: int
        access: str

    class Memory(TypedDict, total=False):
        """Limits in bytes; -1 lifts one, 0 is none given. `swap` is memory and swap together."""

        limit: int
        reservation: int
        swap: int
        kernel: int
        kernelTCP: int
        swappiness: int
        disableOOMKiller: bool
        useHierarchy: bool
        checkBeforeUpdate: bool

    class Cpu(TypedDict, total=False):
        """Shares of, quota over and place on the processors; times are microseconds."""

        shares: int
        quota: int
        burst: int
        period: int
        realtimeRuntime: int
        realtimePeriod: int
        cpus: str
        mems: str
        idle: int

    class Pids(TypedDict):
        """How many tasks at most; 0 or less lifts the limit."""

        limit: int

    class WeightDevice(TypedDict, total=False):
        """One block device's own weight."""

        major: int
        minor: int
        weight: int
        leafWeight: int

    class ThrottleDevice(TypedDict):
        """Bytes or operations a second on one block device; 0 lifts the limit."""

        major: int
        minor: int
        rate: int

    class BlockIO(TypedDict, total=False):
        """Share of and limits on block devices; weights are 10 to 1000."""

        weight: int
        leafWeight: int
        weightDevice: list[WeightDevice]
        throttleReadBpsDevice: list[ThrottleDevice]
        throttleWriteBpsDevice: list[ThrottleDevice]
        throttleReadIOPSDevice: list[ThrottleDevice]
        throttleWriteIOPSDevice: list[ThrottleDevice]

    class HugepageLimit(TypedDict):
        """Bytes of huge pages of one size, `2MB`."""

        pageSize: str
        limit: int

    class InterfacePriority(TypedDict):
        """What a packet's priority is on an interface."""

        name: str
        priority: int

    class NetworkClass(TypedDict, total=False):
        """How packets are marked: version 1 alone has it."""

        classID: int
        priorities: list[InterfacePriority]

    class RdmaLimit(TypedDict, total=False):
        """What may be used of one RDMA device."""

        hcaHandles: int
        hcaObjects: int

    class Resources(TypedDict, total=False):
        """What the cgroup grants. `unified` is files of version 2 with what is written to them."""

        devices: list[DeviceRule]
        memory: Memory
        cpu: Cpu
        pids: Pids
        blockIO: BlockIO
        hugepageLimits: list[HugepageLimit]
        network: NetworkClass
        rdma: dict[str, RdmaLimit]
        unified: dict[str, str]

    class Linux(TypedDict, total=False):
        """What is Linux's own."""

        namespaces: list[Namespace]
        devices: list[Device]
        resources: Resources
        cgroupsPath: str
        rootfsPropagation: str
        maskedPaths: list[str]
        readonlyPaths: list[str]
        sysctl: dict[str, str]
        uidMappings: list[IdMapping]
        gidMappings: list[IdMapping]
        timeOffsets: dict[str, TimeOffset]
        seccomp: dict[str, Any]
        mountLabel: str
        personality: Personality

    class Spec(TypedDict, total=False):
        """A whole config.json."""

        ociVersion: str
        root: Root
        process: Process
        hostname: str
        domainname: str
        hooks: Hooks
        mounts: list[Mount]
        annotations: dict[str, str]
        linux: Linux

    class State(TypedDict):
        """What `state` answers."""

        ociVersion: str
        id: str
        status: Status
        pid: int
        bundle: str
        annotations: dict[str, str]
