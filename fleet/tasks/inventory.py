"""The tasks that show an inventory and connect to none of its hosts."""

from __future__ import annotations

from typing import Any, Dict

from invoke.context import Context

from fleet.tasks.options import ROLES, Table, skiff_task, told

INVENTORY: Table = {
    "hosts": ("all", "Names, groups, globs, exclusions (all:!web3), @failed of the last run, separated by commas (default: all)."),
    "inventory": ("", "Inventory file, Skiff's or Ansible's, instead of inventory/hosts.yml and the running lab's."),
    "json": (False, "One JSON document on standard output."),
}


@skiff_task(INVENTORY)
def inventory_list(_: Context, **given: Any) -> None:
    """List hosts with their addresses and groups; connect to none.

    Example: ./inv inventory.list --hosts 'web*'
    """
    show_inventory("list", given)


@skiff_task(INVENTORY)
def inventory_graph(_: Context, **given: Any) -> None:
    """Draw the tree of groups and hosts; connect to none.

    Example: ./inv inventory.graph --inventory /etc/ansible/hosts
    """
    show_inventory("graph", given)


@skiff_task(INVENTORY)
def inventory_show(_: Context, **given: Any) -> None:
    """Show the merged settings of hosts, and the file and line where each was set; connect to none.

    Example: ./inv inventory.show --hosts web1
    """
    show_inventory("show", given)


def show_inventory(view: str, given: Dict[str, Any]) -> None:
    """Prints one of the views of an inventory."""
    with told():
        from fleet.run import inventories

        inventories.show(view, **given)


@skiff_task({"out": ("", "Directory to write the files to, instead of printing them."), "role_path": ROLES["role_path"]})
def inventory_schema(_: Context, out: str, role_path: str) -> None:
    """Generate the JSON Schemas of inventory and role files, by which an editor completes and checks them.

    Example: ./inv inventory.schema --out .schemas
    """
    with told():
        from fleet import schema

        schema.generate(out, role_path, print)
