"""The tasks of the repository itself: what is deployed is built, the tour, the tests."""

from __future__ import annotations

from pathlib import Path

from invoke.context import Context

from fleet.tasks.options import CONNECT, Table, end, skiff_task, told

BUSYBOX: Table = {
    "arch": ("", "Architecture of the probe image, x86_64 or aarch64 (default: this machine's)."),
    "busybox": ("", "A statically linked busybox for the probe image (default: this machine's own)."),
}
VERSION: Table = {
    "as_": ("", "Give the bundle another version than its sources have, such as 0.1.0+site1 for changes of your own.")
}


@skiff_task(BUSYBOX, VERSION)
def bundle(_: Context, arch: str, busybox: str, as_: str) -> None:
    """Build the runtime's bundle and the probe image into dist/; the same input gives the same bytes.

    Example: ./inv bundle
    Example: ./inv bundle --arch aarch64 --busybox ./busybox-aarch64
    Example: ./inv bundle --as 0.1.0+site1
    """
    with told():
        from fleet import bundle as archive
        from fleet import probe_image

        archive.bundle(print, version=as_)
        probe_image.build(arch, Path(busybox) if busybox else None, report=print)


@skiff_task({"keep": (False, "Leave the host running at the end.")})
def demo(_: Context, keep: bool) -> None:
    """Take the tour: boot a real host, prepare it over SSH, verify it, run a container on it, and end it.

    Example: ./inv demo --keep
    """
    with told():
        from fleet import demo as tour

        tour.run(keep, print)


@skiff_task()
def reference(_: Context) -> None:
    """Draw the pages of docs/reference anew: every task, role, variable and message.

    Example: ./inv reference
    """
    from fleet.reference import files
    from tasks import ns

    for path, text in files.pages(ns, CONNECT).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        print(path.relative_to(files.ROOT))


@skiff_task()
def lint(_: Context) -> None:
    """Check format, style, types and architecture.

    Example: ./inv lint
    """
    from tests import stages

    end(0 if stages.run([stages.LINT, stages.TYPES, stages.ARCHITECTURE]) else 1)


@skiff_task()
def test(_: Context) -> None:
    """Run lint and the unit, root, lab and contract tests.

    Example: ./inv test
    """
    from tests import stages

    end(0 if stages.run(stages.all_stages()) else 1)


@skiff_task()
def long_tests(_: Context) -> None:
    """Run the tests that take minutes: faults at random moments.

    Example: ./inv test.long
    """
    from tests import stages

    end(0 if stages.run([stages.LONG]) else 1)


@skiff_task()
def vm_tests(_: Context) -> None:
    """Run the tests that need a kernel of their own, in virtual machines without KVM: cgroup v2, Vagrant; many minutes.

    Example: ./inv test.vm
    """
    from tests import stages

    end(0 if stages.run([stages.VM]) else 1)
