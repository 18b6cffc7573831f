"""Skiff's tasks under their names: `./inv --list` shows them, `./inv TASK --help` explains one.

Exit status: 0 done, 1 wrong usage, 2 a host failed, 3 only unreachable hosts, 130 interrupted.
"""

from __future__ import annotations

from typing import Any, Dict

from invoke.collection import Collection

from fleet.tasks import asking, hosts, images, inventory, lab, project, pull, rollout, runs, secrets, undo

TOP = (
    hosts.provision,
    hosts.plan,
    hosts.apply,
    hosts.verify,
    hosts.facts,
    hosts.version,
    hosts.info,
    rollout.upgrade,
    rollout.rollback,
    rollout.versions,
    undo.restore,
    undo.deprovision,
    runs.report,
    runs.resume,
    project.bundle,
    project.demo,
    project.lint,
    project.reference,
)
GROUPS: Dict[str, Dict[str, Any]] = {
    "inventory": {
        "list": inventory.inventory_list,
        "graph": inventory.inventory_graph,
        "show": inventory.inventory_show,
        "schema": inventory.inventory_schema,
    },
    "images": {"push": images.images_push},
    "runs": {"list": runs.runs_list, "show": runs.runs_show},
    "secrets": {
        "keygen": secrets.secrets_keygen,
        "encrypt": secrets.secrets_encrypt,
        "decrypt": secrets.secrets_decrypt,
        "edit": secrets.secrets_edit,
        "rekey": secrets.secrets_rekey,
    },
    "pull": {
        "key": pull.pull_key,
        "publish": pull.pull_publish,
        "install": pull.pull_install,
        "status": pull.pull_status,
        "remove": pull.pull_remove,
    },
    "lab": {"up": lab.lab_up, "down": lab.lab_down, "status": lab.lab_status, "ssh": lab.lab_ssh},
    "test": {"all": project.test, "long": project.long_tests, "vm": project.vm_tests},
}


def namespace() -> Collection:
    """The tasks under their names."""
    root = Collection(*TOP)
    root.add_task(asking.execute, name="exec")
    root.add_task(asking.ps)
    root.add_task(asking.logs)
    for group, members in GROUPS.items():
        collection = Collection(group)
        for name, member in members.items():
            collection.add_task(member, name=name, default=(group, name) == ("test", "all"))
        root.add_collection(collection)
    return root


ns = namespace()
