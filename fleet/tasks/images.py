"""The task that brings images to hosts' engines."""

from __future__ import annotations

from typing import Any

from invoke.context import Context

from fleet.tasks.hosts import HERE
from fleet.tasks.options import CHECK, HOSTS, OWN_ROLES, Table, end, skiff_task, told

ARCHIVE: Table = {
    "file": ("", "The archive: docker-archive (docker save) or an OCI layout, tar or tar.gz."),
}


@skiff_task(ARCHIVE, HOSTS, CHECK, OWN_ROLES, HERE, positional=("file",), of=("images.push",))
def images_push(_: Context, file: str, check: bool, **given: Any) -> None:
    """Load an image archive into the engine of every host, Skiff's or Docker's; hosts that have its images are left alone.

    It is read to its end and checked before any host is touched, and goes to each host that lacks an image once.

    Example: ./inv images.push app.tar --hosts 'web*'
    Example: ./inv images.push app.tar --hosts all --check
    """
    with told():
        from fleet.run import images
        from fleet.run.task import Options, provision

        with images.pushed(file) as wanted:
            mode = "check" if check else "apply"
            about = {"images": {digest: list(names) for digest, names in wanted.images.items()}}
            outcomes, status = provision(images.NAME, mode, Options(**given), about=about, own=(images.role(wanted),))
    images.show(outcomes, wanted, given["json"])
    end(status)
