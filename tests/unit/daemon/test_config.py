"""daemon.json and flags: what is taken, what is refused, and in which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skiff.daemon import config, flags, options
from skiff.engine.settings import Settings
from skiff.errors import ConfigError


def write(path: Path, document: object) -> str:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def test_a_file_and_flags_make_settings(tmp_path: Path) -> None:
    path = write(tmp_path / "d.json", {"registry-mirrors": ["https://m.example"], "labels": ["a=b"], "live-restore": False})
    _, given = flags.parse(["-D", "--data-root", "/srv/skiff", "--log-opt", "max-size=10m", "--log-opt", "max-file=3"])
    settings = config.load(path, given)
    assert settings.registry_mirrors == ("https://m.example/",)
    assert settings.labels == ("a=b",)
    assert (settings.live_restore, settings.debug, settings.data_root) == (False, True, "/srv/skiff")
    assert settings.log_opts == {"max-size": "10m", "max-file": "3"}
    assert settings.hosts == (config.DEFAULT_HOST,)


@pytest.mark.parametrize("text", ["", "  \n", "{}"])
def test_an_empty_file_is_the_defaults(tmp_path: Path, text: str) -> None:
    assert config.load(write(tmp_path / "d.json", text), {}) == Settings(hosts=(config.DEFAULT_HOST,))


def test_no_file_is_the_defaults_unless_it_was_asked_for(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.json")
    assert config.load(missing, {}).data_root == "/var/lib/skiff"
    with pytest.raises(ConfigError, match=r"none\.json: no such file"):
        config.load(missing, {}, must_exist=True)


WRONG: list[tuple[object, str]] = [
    ("{", r"d\.json: line 1, column 2: not JSON"),
    ('{\n "debug": tru\n}', r"d\.json: line 2, column 11: not JSON"),
    ("[]", r"must hold one JSON object"),
    ('{"debug": true, "debug": false}', r"debug: given twice"),
    ({"foo": 1, "bar": 2}, r"the following directives don't match any configuration option: bar, foo"),
    ({"bip": "10.0.0.1/24"}, r"d\.json: bip: dockerd has this option, Skiff .* does not yet"),
    ({"debug": "yes"}, r"d\.json: debug: must be a boolean, not a string"),
    ({"debug": 1}, r"debug: must be a boolean, not a number"),
    ({"labels": "a=b"}, r"labels: must be a list of strings, not a string"),
    ({"labels": ["a"]}, r"labels: bad attribute format: a"),
    ({"labels": ["a=1", "a=2"]}, r"labels: conflict labels for a=1 and a=2"),
    ({"max-concurrent-downloads": True}, r"must be an integer, not a boolean"),
    ({"max-concurrent-downloads": 0}, r"must be at least 1"),
    ({"log-driver": "syslog"}, r'log-driver: "syslog" is not supported; it can be json-file or none'),
    ({"log-opts": {"max-size": "much"}}, r"log-opts: invalid size: 'much'"),
    ({"log-opts": {"max-file": "3"}}, r"max-file cannot be more than 1 without max-size"),
    ({"log-opts": {"tag": "x"}}, r"unknown log opt 'tag' for json-file log driver"),
    ({"storage-driver": "btrfs"}, r"storage-driver"),
    ({"exec-opts": ["native.cgroupdriver=systemd"]}, r'cgroup driver "systemd" is not supported yet'),
    ({"hosts": ["tcp://0.0.0.0:2375"]}, r"tcp sockets are not supported yet, for they need TLS"),
    ({"hosts": ["/run/s.sock"]}, r"is not an address; use unix:///path"),
    ({"exec-root": "/run/" + "x" * 27}, r"exec-root: .* is too long: at most 31 bytes"),
    ({"data-root": "lib"}, r"data-root: must be an absolute path"),
    ({"insecure-registries": ["http://r:5000"]}, r"should not contain a scheme"),
    ({"registry-mirrors": ["m.example"]}, r'invalid mirror: unsupported scheme "" in "m\.example"'),
    ({"registry-mirrors": ["ftp://m"]}, r'invalid mirror: unsupported scheme "ftp"'),
    ({"registry-mirrors": ["http://m/path"]}, r"invalid mirror: path, query, or fragment at end of the URI"),
    ({"registry-mirrors": ["http://m?q"]}, r"invalid mirror: path, query, or fragment"),
    ({"registry-mirrors": ["http://m/#"]}, r"invalid mirror: path, query, or fragment"),
    ({"registry-mirrors": ["https://"]}, r"is not a valid URI"),
]


@pytest.mark.parametrize(("document", "message"), WRONG, ids=[str(row[0])[:40] for row in WRONG])
def test_what_is_wrong_is_named(tmp_path: Path, document: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.load(write(tmp_path / "d.json", document), {})


def test_a_mirror_with_a_password_is_refused_without_telling_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(write(tmp_path / "d.json", {"registry-mirrors": ["http://u:hunter2@m"]}), {})
    assert "username/password not allowed" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_key_as_flag_and_in_the_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "d.json", {"debug": True, "labels": ["a=b"]})
    _, given = flags.parse(["--debug=false", "--label", "c=d"])
    with pytest.raises(
        ConfigError, match=r"both as a flag and in the configuration file: debug: \(from flag: false, from file: true\)"
    ):
        config.load(path, given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--debug=maybe"], "--debug: must be true or false"),
        (["--registry-mirror", "m"], "--registry-mirror: invalid mirror"),
        (["--shutdown-timeout", "soon"], "--shutdown-timeout: must be a number"),
    ],
)
def test_a_wrong_flag_is_named(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        flags.parse(arguments)


def test_reload_takes_over_what_may_change_and_names_what_waits() -> None:
    current = Settings(debug=False, data_root="/a", registry_mirrors=("https://a/",))
    fresh = Settings(debug=True, data_root="/b", registry_mirrors=("https://b/",))
    settings, now, later = config.reloaded(current, fresh)
    assert (settings.debug, settings.data_root, settings.registry_mirrors) == (True, "/a", ("https://b/",))
    assert (now, later) == (["debug", "registry-mirrors"], ["data-root"])


def test_what_can_be_reloaded_is_what_dockerd_reloads() -> None:
    dockerd = {
        "debug",
        "labels",
        "live-restore",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "insecure-registries",
        "registry-mirrors",
        "shutdown-timeout",
    }
    assert {option.key for option in options.OPTIONS if option.reloadable} == dockerd


def test_every_option_is_a_field_of_settings_and_of_no_other_list() -> None:
    names: dict[str, Any] = Settings().__dict__
    for option in options.OPTIONS:
        assert option.attribute in names, option.key
    assert not set(options.BY_KEY) & options.NOT_YET
