"""Numbers, names and texts that Python reads otherwise than Go, or that no system call takes: refused, never a fault."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import Any, AsyncIterator

import pytest

from skiff.api import bodies, messages, router
from skiff.daemon import config, listeners, main
from skiff.engine import create, logoptions, names, records, signals
from skiff.engine.settings import Settings
from skiff.errors import ConfigError, InvalidInput, SkiffError


def request(body: bytes = b"", **query: str) -> messages.Request:
    async def parts() -> AsyncIterator[bytes]:
        yield body

    return messages.Request("POST", "/", query, {"content-type": "application/json"}, parts())


@pytest.mark.parametrize("text", ["²", "٣", "1_0", " 1", "1\n", "9" * 400, "x"])
def test_what_only_python_takes_for_a_number_is_none(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a number"):
        bodies.number(request(t=text), "t", 0)
    with pytest.raises(InvalidInput, match="Invalid signal"):
        signals.number(text)
    for name in ("max-size", "max-file"):
        with pytest.raises(InvalidInput):
            logoptions.check_options("json-file", {"max-size": "1k", name: text})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'{"a": -Infinity}', "-Infinity is no JSON"),
        (b'{"Hostname": "\\ud800"}', "not UTF-8"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"[" * 200_000, "nested too deep"),
    ],
)
def test_what_is_no_json_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        asyncio.run(bodies.document(request(body)))


def test_an_escaped_pair_is_one_character() -> None:
    assert asyncio.run(bodies.document(request(b'{"a": "\\ud83d\\ude00"}'))) == {"a": "\U0001f600"}


def test_a_filter_without_values_asks_for_nothing_and_a_deep_one_is_refused() -> None:
    known = frozenset(("dangling",))
    assert bodies.filters(request(filters='{"dangling": []}'), known) == {}
    with pytest.raises(SkiffError, match="nested too deep"):
        bodies.filters(request(filters="[" * 100_000), known)


@pytest.mark.parametrize("path", ["/v" + "9" * 5000 + ".1/_ping", "/v1." + "9" * 5000 + "/_ping"])
def test_a_version_of_any_length_is_no_fault(path: str) -> None:
    answer = asyncio.run(router.Router().handle(messages.Request("GET", path, {}, {}, request().body)))
    assert isinstance(answer, messages.Response)
    assert answer.status == 404


@pytest.mark.parametrize("name", ["abc\n", "a", "../x", "a/b", "", "é1"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid container name"):
        names.check(name)


@pytest.mark.parametrize(
    ("own", "host", "words"),
    [
        ({"Cmd": ["a\0b"]}, {}, "Config.Cmd: must not hold a NUL byte"),
        ({"Env": ["A=\0"]}, {}, "Config.Env: must not hold a NUL byte"),
        ({"User": "a\0b"}, {}, "Config.User: must not hold a NUL byte"),
        ({"WorkingDir": "/\0"}, {}, "Config.WorkingDir: must not hold a NUL byte"),
        ({"ExposedPorts": {"80/tcp": 5}}, {}, "Config.ExposedPorts.80/tcp: must be of type object"),
        ({"StopTimeout": 1 << 80}, {}, "Config.StopTimeout: does not fit 64 bits"),
        ({}, {"Memory": 1 << 70}, "HostConfig.Memory: does not fit 64 bits"),
        ({}, {"ConsoleSize": ["x"]}, "HostConfig.ConsoleSize: must be of type int"),
    ],
)
def test_create_refuses_what_go_could_not_read_either(own: dict[str, Any], host: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        create.check_request({"Image": "i", **own}, {"NetworkMode": "none", **host}, None, Settings())


def test_an_image_that_names_no_signal_is_stopped_by_sigterm() -> None:
    assert (signals.stop("SIGINT"), signals.stop("NOSUCH"), signals.stop("")) == (2, 15, 15)


def test_a_configuration_of_endless_digits_is_told_by_its_file() -> None:
    with pytest.raises(ConfigError, match=r"^d\.json: "):
        config.parse_document("d.json", b'{"shutdown-timeout": ' + b"9" * 9000 + b"}")


@pytest.mark.parametrize("path", ["/etc/passwd/s.sock", "/" + "a" * 200])
def test_a_socket_that_cannot_be_is_told_by_its_path(path: str) -> None:
    with pytest.raises(SkiffError, match=f"cannot listen on unix://{path}: "):
        listeners.listen(path, 0)


def test_a_data_root_that_cannot_be_made_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise NotADirectoryError(errno.ENOTDIR, "Not a directory", "/etc/passwd/x")

    monkeypatch.setattr(config, "load", fail)
    assert main.main([]) == 1
    assert capsys.readouterr().err == "skiffd: [Errno 20] Not a directory: '/etc/passwd/x'\n"


def test_a_stray_file_and_a_copied_record_keep_no_daemon_from_starting(tmp_path: Path) -> None:
    store = records.Records(str(tmp_path))
    (tmp_path / "containers" / "notes.txt").write_text("mine")
    copied = tmp_path / "containers" / "copied"
    copied.mkdir()
    record = {"id": "x", "name": "n", "created": "", "image": "", "config": {}, "host_config": {}}
    (copied / "config.json").write_text(str(record).replace("'", '"'))
    assert store.load() == []
    assert copied.exists()
