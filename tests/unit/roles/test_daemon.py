"""The daemon's configuration and unit: what is written, and what a change of it restarts or reloads."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest

from fleet.content import Content
from fleet.resources import File, Group, JsonFile, Template, Unit
from fleet.roles.loader import BUILT_IN
from fleet.roles.templates import render
from roles.daemon_config import role as daemon_config
from roles.service import role as service
from tests.unit.roles.hosts import facts, variables

OWN = ("data-root", "hosts", "insecure-registries", "registry-mirrors")
MIRROR = "https://abc.mirror.aliyuncs.com"
SOCKETS = ["unix:///run/skiff.sock", "unix:///run/docker.sock"]


@pytest.mark.parametrize(
    ("given", "values", "remove"),
    [
        ({}, {}, OWN),
        ({"registry_mirrors": [MIRROR]}, {"registry-mirrors": [MIRROR]}, ("data-root", "hosts", "insecure-registries")),
        ({"data_root": "/srv/skiff"}, {"data-root": "/srv/skiff"}, ("hosts", "insecure-registries", "registry-mirrors")),
        ({"docker_compat": True}, {"hosts": SOCKETS}, ("data-root", "insecure-registries", "registry-mirrors")),
        ({"daemon_options": {"debug": True, "labels": None}}, {"debug": True}, (*OWN[:3], "labels", OWN[3])),
        ({"daemon_options": {"debug": False}}, {"debug": False}, OWN),
    ],
)
def test_options(given: Dict[str, Any], values: Dict[str, Any], remove: tuple[str, ...]) -> None:
    assert daemon_config.options(variables(**given)) == (values, remove)


def test_the_daemon_itself_checks_the_file_before_it_is_put_in_place() -> None:
    (file,) = [one for one in daemon_config.resources(facts(), variables()) if isinstance(one, JsonFile)]
    assert file.validate == ("/opt/skiff/current/bin/skiffd", "--validate", "--config-file", "{}")
    assert "registry-mirrors" in file.reloadable
    assert "data-root" not in file.reloadable


def units(host: Dict[str, Any], **given: Any) -> List[Unit]:
    return [one for one in service.resources(facts(**host), variables(**given)) if isinstance(one, Unit)]


def test_what_restarts_the_daemon_and_what_reloads_it() -> None:
    (file,) = [one for one in daemon_config.resources(facts(), variables()) if isinstance(one, JsonFile)]
    (unit,) = units({})
    assert unit.reload_on == (file.id,)
    assert set(unit.restart_on) == {
        "archive:/opt/skiff/1.2.3",
        "link:/opt/skiff/current",
        "file:/etc/systemd/system/skiff.service",
        file.restart_id,
    }


def test_without_a_bundle_the_service_role_stands_alone() -> None:
    values = {name: value for name, value in variables().as_dict().items() if not name.startswith("bundle")}
    found = service.resources(facts(), type(variables())(values))
    (unit,) = [one for one in found if isinstance(one, Unit)]
    assert not [name for name in unit.restart_on if name.startswith("archive:")]


def text(template: str, **values: object) -> str:
    return render(BUILT_IN.parent / "templates" / "service", template, values).decode()


def test_unit_file() -> None:
    lines = text("skiff.service.j2", compat=False).splitlines()
    for line in ("Type=notify", "Delegate=yes", "KillMode=process", "TasksMax=infinity", "ExecReload=/bin/kill -s HUP $MAINPID"):
        assert line in lines
    # Containers would inherit what sandboxing options mount or filter.
    assert not [line for line in lines if line.startswith(("Protect", "Private", "Restrict", "SystemCall", "NoNewPrivileges"))]
    assert "docker" not in "".join(lines)


def test_docker_s_names_come_with_their_unit_after_ours() -> None:
    found = service.resources(facts(), variables(docker_compat=True))
    assert Group("docker", system=True) in found
    assert [one.name for one in found if isinstance(one, Unit)] == ["skiff.service", "docker.service"]
    assert {one.path for one in found if isinstance(one, Template)} >= {
        "/etc/systemd/system/docker.service",
        "/usr/local/bin/docker",
    }
    assert "PartOf=docker.service" in text("skiff.service.j2", compat=True)
    assert "X-Skiff=compat" in text("docker.service.j2")


def test_docker_s_names_go_where_they_are_ours_and_only_there() -> None:
    def absent(compat: bool) -> List[str]:
        found = service.resources(facts(docker={"compat": compat}), variables())
        return [one.path for one in found if isinstance(one, File) and one.state == "absent"]

    assert absent(False) == []
    assert absent(True) == ["/etc/systemd/system/docker.service", "/usr/local/bin/docker"]
    first, *_, last = units({"docker": {"compat": True}})
    assert (first.name, first.active, last.name, last.active) == ("docker.service", False, "skiff.service", True)


def test_contents_are_of_the_script_s_bytes() -> None:
    from roles.service import container

    assert Content.from_file(BUILT_IN / "service" / "container.sh") == container.SCRIPT
