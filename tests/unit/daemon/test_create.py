"""Create requests: dockerd's merging rules and refusals, and every field that Skiff cannot do refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from skiff.engine import capabilities, create, fields, limits, names, signals
from skiff.engine.settings import Settings
from skiff.errors import InvalidInput, SkiffError, Unsupported

NONE = {"NetworkMode": "none"}


def check(config: dict[str, Any], host: dict[str, Any], **settings: Any) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    return create.check_request(config, {**NONE, **host}, None, Settings(**settings))


def test_defaults_are_filled_in() -> None:
    config, host, warnings = check({"Image": "i"}, {})
    assert (config["Image"], config["Tty"], config["Env"]) == ("i", False, None)
    assert (host["ShmSize"], host["LogConfig"], host["PidsLimit"]) == (64 << 20, {"Type": "json-file", "Config": {}}, None)
    assert warnings == []


def test_what_the_docker_cli_sends_for_nothing_asks_for_nothing() -> None:
    sent = {
        "Binds": None,
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "ConsoleSize": [24, 80],
        "Dns": [],
        "MemorySwappiness": -1,
        "OomKillDisable": False,
        "PidsLimit": 0,
        "BlkioWeightDevice": [],
        "CgroupnsMode": "",
        "Ulimits": [],
        "Init": None,
        "FieldOfTheFuture": None,
    }
    assert check({"Image": "i"}, sent)[1]["CgroupnsMode"] == "private"


ABSENT = [("HostConfig", name) for name, field in fields.HOST_CONFIG.items() if not field.have]
ABSENT += [("Config", name) for name, field in fields.CONFIG.items() if not field.have]
ASKING = {"bool": True, "int": 7, "string": "x", "list": ["x"], "object": {"x": "y"}}


@pytest.mark.parametrize(("what", "name"), ABSENT)
def test_what_skiff_does_not_have_is_refused_by_name(what: str, name: str) -> None:
    table = fields.HOST_CONFIG if what == "HostConfig" else fields.CONFIG
    value = ASKING[table[name].kind]
    config, host = ({}, {name: value}) if what == "HostConfig" else ({name: value}, {})
    with pytest.raises(Unsupported, match=f"{what}.{name} is not supported"):
        check({"Image": "i", **config}, host)


REFUSED: list[tuple[dict[str, Any], dict[str, Any], type[SkiffError], str]] = [
    ({}, {"NetworkMode": "default"}, Unsupported, "use --network none or --network host"),
    ({}, {"NetworkMode": "mine"}, Unsupported, "network mine not found"),
    ({}, {"FieldOfTheFuture": 1}, InvalidInput, "HostConfig.FieldOfTheFuture: this field is not known"),
    ({"Tty": 3}, {}, InvalidInput, "Config.Tty: must be of type bool"),
    ({"Env": [3]}, {}, InvalidInput, "Config.Env: must be a list of strings"),
    ({"Env": ["=x"]}, {}, InvalidInput, "invalid environment variable: =x"),
    ({"WorkingDir": "a"}, {}, InvalidInput, "the working directory 'a' is invalid, it needs to be an absolute path"),
    ({"StopSignal": "SIGFOO"}, {}, InvalidInput, "Invalid signal: SIGFOO"),
    ({}, {"Memory": 1000}, InvalidInput, "Minimum memory limit allowed is 6MB"),
    ({}, {"Memory": True}, InvalidInput, "HostConfig.Memory: must be of type int"),
    ({}, {"Memory": 20 << 20, "MemorySwap": 10 << 20}, InvalidInput, "Minimum memoryswap limit should be larger"),
    ({}, {"MemorySwap": 10 << 20}, InvalidInput, "You should always set the Memory limit"),
    ({}, {"NanoCpus": 10**15}, InvalidInput, "Range of CPUs is from 0.01 to"),
    ({}, {"NanoCpus": 10**9, "CpuQuota": 5000}, InvalidInput, "Conflicting options: Nano CPUs"),
    ({}, {"CpuPeriod": 5}, InvalidInput, "CPU cfs period"),
    ({}, {"CapAdd": ["foo"]}, InvalidInput, 'invalid CapAdd: unknown capability: "CAP_FOO"'),
    ({}, {"SecurityOpt": ["foo"]}, InvalidInput, 'invalid --security-opt: "foo"'),
    ({}, {"SecurityOpt": ["seccomp=/p.json"]}, Unsupported, "seccomp"),
    ({}, {"LogConfig": {"Type": "syslog"}}, InvalidInput, "no log driver named 'syslog' is registered"),
    ({}, {"LogConfig": {"Type": "json-file", "Config": {"tag": "x"}}}, InvalidInput, "unknown log opt 'tag' for json-file"),
]


@pytest.mark.parametrize(("config", "host", "kind", "words"), REFUSED)
def test_refusals(config: dict[str, Any], host: dict[str, Any], kind: type[SkiffError], words: str) -> None:
    with pytest.raises(kind, match=words.replace("(", r"\(")):
        check({"Image": "i", **config}, host)


def test_an_endpoint_that_asks_for_something_is_refused() -> None:
    create.check_request({"Image": "i"}, NONE, {"EndpointsConfig": {"none": {"Aliases": None}}}, Settings())
    with pytest.raises(Unsupported, match="none: IPAddress"):
        create.check_request({"Image": "i"}, NONE, {"EndpointsConfig": {"none": {"IPAddress": "10.0.0.2"}}}, Settings())


def test_the_daemon_s_log_options_are_a_container_s_default() -> None:
    assert check({"Image": "i"}, {}, log_opts={"max-size": "1m"})[1]["LogConfig"]["Config"] == {"max-size": "1m"}
    own = {"LogConfig": {"Type": "json-file", "Config": {"max-size": "2m"}}}
    assert check({"Image": "i"}, own, log_opts={"max-size": "1m"})[1]["LogConfig"]["Config"] == {"max-size": "2m"}
    assert check({"Image": "i"}, {"LogConfig": {"Type": "none"}}, log_opts={"max-size": "1m"})[1]["LogConfig"]["Config"] == {}


IMAGE = {"Entrypoint": ["/e"], "Cmd": ["c"], "Env": ["PATH=/bin", "A=image"], "WorkingDir": "/w", "Labels": {"a": "1", "b": "1"}}


@pytest.mark.parametrize(
    ("config", "command"),
    [
        ({}, ["/e", "c"]),
        ({"Cmd": ["x"]}, ["/e", "x"]),
        ({"Entrypoint": ["/o"]}, ["/o"]),
        ({"Entrypoint": ["/o"], "Cmd": ["x"]}, ["/o", "x"]),
        ({"Entrypoint": [""], "Cmd": ["x"]}, ["x"]),
    ],
)
def test_entrypoint_and_command_merge_as_in_docker(config: dict[str, Any], command: list[str]) -> None:
    own, _, _ = check({"Image": "i", **config}, {})
    create.merge_image(own, IMAGE, "f" * 64)
    assert [*(own["Entrypoint"] or ()), *(own["Cmd"] or ())] == command


def test_environment_labels_and_directory_merge() -> None:
    own, _, _ = check({"Image": "i", "Env": ["A=own", "B"], "Labels": {"b": "2"}}, {})
    create.merge_image(own, IMAGE, "f" * 64)
    assert create.environment(own, "/default") == ["HOSTNAME=" + "f" * 12, "A=own", "PATH=/bin"]
    assert (own["Labels"], own["WorkingDir"]) == ({"a": "1", "b": "2"}, "/w")


def test_no_command_at_all_is_refused() -> None:
    own, _, _ = check({"Image": "i"}, {})
    with pytest.raises(InvalidInput, match="No command specified"):
        create.merge_image(own, {}, "f" * 64)


def test_what_the_image_wants_and_skiff_lacks_is_warned_of() -> None:
    own, _, _ = check({"Image": "i"}, {})
    warnings = create.merge_image(own, {**IMAGE, "Volumes": {"/d": {}}, "Healthcheck": {"Test": ["CMD", "x"]}}, "f" * 64)
    assert len(warnings) == 2


def test_limits_become_resources() -> None:
    host = check({"Image": "i"}, {"Memory": 32 << 20, "NanoCpus": 5 * 10**8, "PidsLimit": 20, "CpuShares": 512})[1]
    assert host["MemorySwap"] == 64 << 20
    made = limits.resources(host)
    assert made["cpu"] == {"shares": 512, "period": 100_000, "quota": 50_000}
    assert (made["memory"]["limit"], made["pids"]) == (32 << 20, {"limit": 20})
    assert limits.resources(check({"Image": "i"}, {})[1]) == {}


@pytest.mark.parametrize(
    ("add", "drop", "has", "lacks"),
    [
        (None, None, "CAP_CHOWN", "CAP_SYS_ADMIN"),
        (["sys_admin"], None, "CAP_SYS_ADMIN", "CAP_SYS_TIME"),
        (None, ["CAP_CHOWN"], "CAP_KILL", "CAP_CHOWN"),
        (["CHOWN"], ["ALL"], "CAP_CHOWN", "CAP_KILL"),
        (["ALL"], ["MKNOD"], "CAP_SYS_TIME", "CAP_MKNOD"),
    ],
)
def test_capabilities(add: Any, drop: Any, has: str, lacks: str) -> None:
    chosen = capabilities.choose(add, drop)
    assert has in chosen
    assert lacks not in chosen


@pytest.mark.parametrize(("text", "number"), [("KILL", 9), ("sigterm", 15), ("2", 2), ("SIGRTMIN+3", 37), ("RTMAX-1", 63)])
def test_signals(text: str, number: int) -> None:
    assert signals.number(text) == number


@pytest.mark.parametrize("text", ["", "FOO", "0", "99", "-1", "SIGRTMIN+99"])
def test_wrong_signals(text: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid signal"):
        signals.number(text)


def test_names() -> None:
    assert names.check("/web_1") == "web_1"
    for wrong in ("a", "-x", "a/b", "a b", ""):
        with pytest.raises(InvalidInput, match="only"):
            names.check(wrong)
    assert names.by_prefix(["abc", "abd"], "abc") == "abc"
    assert names.by_prefix(["abc"], "x") is None
    with pytest.raises(InvalidInput, match="Multiple IDs"):
        names.by_prefix(["abc", "abd"], "ab")
    assert names.VALID.match(names.invent(()))
