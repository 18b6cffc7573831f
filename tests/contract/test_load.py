"""Archives as others write them, loaded by docker's own client and run; and what Docker's daemon makes of the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract import archives
from tests.contract.daemons import Daemon


def tool(name: str) -> str:
    """A program that writes images."""
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
    if found is None:
        pytest.skip(f"{name} is not here: install it")
    return found


def copied(source: str, target: str, *options: str) -> None:
    """An image in another format, by skopeo."""
    command = [tool("skopeo"), "copy", "--quiet", "--insecure-policy", *options, source, target]
    subprocess.run(command, check=True, capture_output=True, text=True)


def docker_archive(busybox: Path, directory: Path) -> Path:
    copied(f"docker-archive:{busybox}", f"docker-archive:{directory}/out.tar:from/docker-archive:1")
    return directory / "out.tar"


def oci_archive(busybox: Path, directory: Path) -> Path:
    copied(f"docker-archive:{busybox}", f"oci-archive:{directory}/out.tar:docker.io/from/oci-archive:1")
    return directory / "out.tar"


def umoci_layout(busybox: Path, directory: Path) -> Path:
    """A layer of umoci's own on top, then the layout as a tar."""
    copied(f"docker-archive:{busybox}", f"oci:{directory}/layout:from/umoci:1")
    (directory / "note").write_text("by umoci")
    layout = f"{directory}/layout:from/umoci:1"
    for arguments in (
        ["insert", "--image", layout, str(directory / "note"), "/etc/note"],
        ["insert", "--image", layout, "--whiteout", "/etc/group"],
        ["config", "--image", layout, "--config.cmd", "cat", "--config.cmd", "/etc/note"],
    ):
        subprocess.run([tool("umoci"), *arguments], check=True, capture_output=True, text=True)
    with tarfile.open(directory / "out.tar", "w") as archive:
        archive.add(directory / "layout", arcname=".")
    return directory / "out.tar"


WRITERS: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "docker-archive by skopeo": (docker_archive, "from/docker-archive:1"),
    "oci-archive by skopeo": (oci_archive, "from/oci-archive:1"),
    "layout by umoci": (umoci_layout, "from/umoci:1"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_archive_of_another_tool_is_loaded_and_run(skiffd: Daemon, busybox_archive: Path, tmp_path: Path, writer: str) -> None:
    write, name = WRITERS[writer]
    loading = skiffd.docker("load", "-i", str(write(busybox_archive, tmp_path)))
    assert (loading.returncode, loading.stdout) == (0, f"Loaded image: {name}\n"), loading.stderr
    running = skiffd.docker("run", "--network", "none", "--rm", name, "cat", "/etc/passwd")
    assert running.returncode == 0, running.stderr
    assert running.stdout.startswith("root:x:0:0:")


def test_layers_and_configuration_of_umoci(skiffd: Daemon, busybox_archive: Path, tmp_path: Path) -> None:
    skiffd.docker("load", "-i", str(umoci_layout(busybox_archive, tmp_path)))
    running = skiffd.docker("run", "--network", "none", "--rm", "from/umoci:1")
    assert (running.returncode, running.stdout) == (0, "by umoci"), running.stderr
    listing = skiffd.docker("run", "--network", "none", "--rm", "from/umoci:1", "ls", "/etc")
    assert "group" not in listing.stdout.split()
    assert "passwd" in listing.stdout.split()


def test_what_dockerd_saves_is_the_same_image_here(dockerd: Daemon, skiffd: Daemon, tmp_path: Path) -> None:
    saved = tmp_path / "saved.tar"
    tagging = dockerd.docker("tag", "busybox:latest", "quay.io/some/name:1")
    saving = dockerd.docker("save", "-o", str(saved), "busybox:latest", "quay.io/some/name:1")
    assert (tagging.returncode, saving.returncode) == (0, 0), saving.stderr
    loading = skiffd.docker("load", "-i", str(saved))
    assert sorted(loading.stdout.splitlines()) == ["Loaded image: busybox:latest", "Loaded image: quay.io/some/name:1"]
    for field in (".Id", ".RootFS", ".Config", ".Created", ".Architecture", ".Os", ".Size"):
        command = ("image", "inspect", "busybox:latest", "--format", f"{{{{json {field}}}}}")
        assert json.loads(skiffd.docker(*command).stdout) == json.loads(dockerd.docker(*command).stdout), field
    running = skiffd.docker("run", "--network", "none", "--rm", "quay.io/some/name:1", "echo", "hello")
    assert (running.returncode, running.stdout) == (0, "hello\n"), running.stderr


@pytest.fixture
def layer_with_links(tmp_path: Path, busybox_archive: Path) -> Path:
    """The busybox layer and more: members behind links of the layer, from the root, and through `..`."""
    path = tmp_path / "links.tar"
    layer = tmp_path / "layer.tar"
    with tarfile.open(busybox_archive) as archive:
        found = archive.extractfile("layer.tar")
        assert found is not None
        layer.write_bytes(found.read())
    with tarfile.open(layer, "a") as tar:
        archives.add(tar, "usr/lib", b"", tarfile.DIRTYPE, 0o755)
        for name, target in (("lib", "usr/lib"), ("usr/lib/up", "../../../..")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
        for name in ("lib/behind", "lib/deeper/still", "lib/up/above", "/from-root", "lib/../cleaned", "etc/./dot"):
            archives.add(tar, name, b"x", tarfile.REGTYPE, 0o640)
        hard = tarfile.TarInfo("lib/hard")
        hard.type, hard.linkname, hard.mode = tarfile.LNKTYPE, "/lib/behind", 0o640
        tar.addfile(hard)
    archives.write_docker_archive(path, layer.read_bytes(), "links:1", {"Cmd": ["sh"], "Env": ["PATH=/bin"]})
    return path


def test_links_of_a_layer_are_followed_as_dockerd_follows_them(
    dockerd: Daemon, skiffd: Daemon, layer_with_links: Path, tmp_path: Path
) -> None:
    listings = []
    for daemon in (dockerd, skiffd):
        loading = daemon.docker("load", "-i", str(layer_with_links))
        assert (loading.returncode, loading.stdout) == (0, "Loaded image: links:1\n"), loading.stderr + loading.stdout
        listing = daemon.docker(
            "run", "--network", "none", "--rm", "links:1", "ls", "-lR", "/usr", "/above", "/from-root", "/cleaned"
        )
        assert listing.returncode == 0, listing.stderr
        listings.append([without_time(line) for line in listing.stdout.splitlines()])
    assert listings[0] == listings[1]
    assert any("behind" in line for line in listings[1])


def without_time(line: str) -> list[str]:
    """A line of `ls -l`, of which the time of a directory that no member named is the time of loading."""
    fields = line.split()
    return fields[:5] + fields[8:]


def test_moved_names_are_told_as_dockerd_tells_them(dockerd: Daemon, skiffd: Daemon, tmp_path: Path, busybox_archive: Path) -> None:
    with tarfile.open(busybox_archive) as archive:
        found = archive.extractfile("layer.tar")
        assert found is not None
        layer = found.read()
    told = []
    for daemon in (dockerd, skiffd):
        lines = []
        for number in (1, 2):
            path = tmp_path / f"{number}.tar"
            archives.write_docker_archive(path, layer, "moved:1", {"Cmd": [str(number)]})
            lines.append(daemon.docker("load", "-i", str(path)).stdout)
        told.append(lines)
    assert told[0] == told[1]
    assert "already exists, renaming the old one" in told[0][1]
