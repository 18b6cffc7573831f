"""Images that attack what enters them: planted modules and libraries, symlinks out, a poisoned passwd."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

import pytest

from tests.root.box import Box, Refused


def plant(box: Box, path: str, text: str, mode: int = 0o755) -> None:
    target = box.rootfs / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    target.chmod(mode)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that an attack would make on the host."""
    return tmp_path / "pwned"


@pytest.mark.parametrize("arguments", [["true"], ["nosuch"], ["/etc/passwd"]])
def test_planted_modules_are_never_loaded(box: Box, mark: Path, arguments: list[str]) -> None:
    """In every directory that the interpreter knows, whether the start goes well or not."""
    attack = f"import os; os.system('touch {mark} /pwned')"
    places = {
        *sys.path,
        sys.prefix + "/lib/python3",
        *(f"{path}/encodings" for path in sys.path),
        "/runtime/skiff",
        "/encodings",
        "/",
    }
    for place in sorted(places - {""}):
        for name in (
            "__init__",
            "errno",
            "encodings",
            "utf_8",
            "ascii",
            "idna",
            "traceback",
            "linecache",
            "os",
            "ctypes",
            "signal",
        ):
            plant(box, f"{place}/{name}.py", attack)
    try:
        container = box.create(box.spec(*arguments))
    except Refused:
        pass
    else:
        assert container.run()["code"] == 0
        assert not (container.upper / "pwned").exists()
    assert not mark.exists()


def test_planted_libraries_are_never_loaded(box: Box) -> None:
    """Neither a name service module nor a converter is read: the access time of a file older than its last change would tell."""
    planted = []
    for directory in ("/lib", "/lib64", "/usr/lib", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"):
        for name in ("libnss_files.so.2", "libnss_compat.so.2", "libc.so.6", "libgcc_s.so.1", "gconv/UTF-8.so"):
            plant(box, f"{directory}/{name}", "no library at all")
            planted.append(box.rootfs / directory.lstrip("/") / name)
    plant(box, "/etc/ld.so.preload", "/lib/libevil.so\n")
    plant(box, "/etc/nsswitch.conf", "passwd: evil\ngroup: evil\n")
    for path in planted:
        os.utime(path, (1, 2))
    spec = box.spec("id", "-u")
    spec["process"]["user"] = {"username": "ann:staff"}
    container = box.create(spec, overlay=False)
    assert container.run()["code"] == 0
    assert container.log() == "1000\n"
    assert {int(path.stat().st_atime) for path in planted} == {1}
    box.create(box.spec("cat", "/lib/libc.so.6"), "reader", overlay=False).run()
    assert (box.rootfs / "lib" / "libc.so.6").stat().st_atime > 2, "the detector must work"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../../../../../etc/passwd", "/proc/1/root/etc/passwd", "loop"])
def test_a_symlinked_passwd_shows_nothing_of_the_hosts(box: Box, target: str) -> None:
    """Inside the root the link means a file of the container; the host's users are not found through it."""
    passwd = box.rootfs / "etc" / "passwd"
    passwd.unlink()
    passwd.symlink_to("passwd" if target == "loop" else target)
    with pytest.raises(Refused, match="no matching entries in passwd file"):
        box.create({**box.spec("true"), "process": {**box.spec("true")["process"], "user": {"username": "daemon"}}})


def test_a_passwd_that_is_a_fifo_or_device_does_not_hang(box: Box) -> None:
    passwd = box.rootfs / "etc" / "passwd"
    passwd.unlink()
    os.mkfifo(passwd)
    assert box.run("true", user={"username": "0"})[0]["code"] == 0


def test_a_poisoned_passwd_is_read_for_its_good_lines(box: Box) -> None:
    lines = (
        b"\xff\xfe\n::::\nann:x:-1:0::/:\nann:x:99999999999999999999:0::/:\nann:x:1000:1001::/home/ann:/bin/sh\n" + b"a" * 100_000
    )
    (box.rootfs / "etc" / "passwd").write_bytes(lines)
    assert box.run("id", "-u", user={"username": "ann"})[1] == "1000\n"


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_the_kernels_file_systems_are_not_mounted_through_a_symlink(box: Box, name: str) -> None:
    (box.rootfs / name).symlink_to("/etc")
    with pytest.raises(Refused) as caught:
        box.create(box.spec("true"))
    assert caught.value.error["step"] == "rootfs"


def test_dev_as_a_symlink_stays_inside(box: Box, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (box.rootfs / "dev").symlink_to(outside)
    _, said = box.run("sh", "-c", "stat -c %F /dev/null; cat /proc/self/mounts")
    assert said.startswith("character special file\n")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("target", ["/etc/hosts", "/srv/link/hosts"])
def test_a_bind_through_a_symlink_stays_inside(box: Box, tmp_path: Path, target: str) -> None:
    outside, source = tmp_path / "outside", tmp_path / "source"
    outside.mkdir()
    source.write_text("bound\n")
    (box.rootfs / "srv").mkdir()
    (box.rootfs / "srv" / "link").symlink_to(f"../../../../../../../..{outside}")
    (box.rootfs / "etc" / "hosts").symlink_to(outside / "victim")
    (box.rootfs / str(outside).lstrip("/")).mkdir(parents=True)
    (box.rootfs / str(outside).lstrip("/") / "victim").write_text("")
    spec = box.spec("cat", target)
    spec["mounts"].append({"destination": target, "type": "bind", "source": str(source), "options": ["bind"]})
    assert box.run_spec(spec)[1] == "bound\n"
    assert list(outside.iterdir()) == []


def test_the_interpreter_as_the_program_runs_nothing_of_ours(box: Box) -> None:
    """`#!/proc/self/exe` (CVE-2019-5736): what it gets hold of is a sealed copy, which it cannot write."""
    plant(box, "/bin/attack", "#!/proc/self/exe -c\n")
    size = os.stat(sys.executable).st_size, os.stat(sys.executable).st_mtime_ns
    with contextlib.suppress(Refused):
        box.create(box.spec("/bin/attack")).run()
    assert (os.stat(sys.executable).st_size, os.stat(sys.executable).st_mtime_ns) == size


@pytest.mark.parametrize("cwd", ["/proc/self/fd/3", "/proc/self/fd/5", "/proc/1/cwd", "/proc/self/fd/../../../../.."])
def test_the_working_directory_cannot_be_the_hosts(box: Box, cwd: str) -> None:
    """CVE-2024-21626."""
    try:
        _, said = box.run("sh", "-c", "ls -d /bin/busybox; ls ../../../../../..", cwd=cwd)
    except Refused:
        return
    assert set(said.split()) == {"/bin/busybox", "bin", "dev", "etc", "proc", "root", "sys", "tmp"}


def test_a_mask_over_a_symlink_covers_what_the_container_sees(box: Box) -> None:
    """CVE-2019-16884 and its like: the path is resolved in the root, after its own proc is mounted there."""
    spec = box.spec("sh", "-c", "cat /hidden; ls -A /hole")
    plant(box, "/real", "secret\n", 0o644)
    (box.rootfs / "hidden").symlink_to("/real")
    (box.rootfs / "hole").mkdir()
    plant(box, "/hole/file", "secret\n", 0o644)
    spec["linux"]["maskedPaths"] += ["/hidden", "/hole", "/not/there"]
    assert box.run_spec(spec)[1] == ""


def test_a_set_user_id_program_gains_nothing_beyond_the_bounding_set(box: Box) -> None:
    (box.rootfs / "bin" / "busybox").chmod(0o4755)
    _, said = box.run("grep", "CapBnd", "/proc/self/status", user={"uid": 1000, "gid": 1000})
    assert said == "CapBnd:\t00000000a80425fb\n"
    assert stat.S_ISUID & (box.rootfs / "bin" / "busybox").stat().st_mode
