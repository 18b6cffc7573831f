"""Opens the inventory that a task's options name, says what of it is not followed, and shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Collection, Dict, Iterator, Mapping, Tuple

from fleet.errors import UsageError
from fleet.inventory import views
from fleet.inventory.load import inventory_file, inventory_files, read_inventory
from fleet.inventory.machines import machine_files
from fleet.inventory.model import Inventory
from fleet.inventory.patterns import choose
from fleet.progress.output import write_error, write_line
from fleet.run import again
from fleet.run.answers import print_json

HOME = Path(__file__).resolve().parent.parent.parent / "inventory"
LAB_INVENTORY = Path("/var/lib/skiff-lab/labs/lab/inventory.yml")

VIEWS: Dict[str, Tuple[Callable[[Inventory, Collection[str]], Dict[str, Any]], Callable[[Mapping[str, Any]], Iterator[str]]]] = {
    "list": (views.listing, views.list_lines),
    "graph": (views.tree, views.graph_lines),
    "show": (views.variables, views.variable_lines),
}


def show(view: str, hosts: str, inventory: str, json: bool) -> None:
    """Prints one of the views of an inventory.

    Raises:
        UsageError: the inventory is faulty, or the pattern names no host of it.
    """
    opened = open_inventory(inventory)
    names, outsiders = choose(opened, again.expanded(hosts, opened.names, write_error))
    for name in outsiders:
        raise UsageError(f"--hosts: {name!r} stands in no inventory")
    build, lines = VIEWS[view]
    document = build(opened, names)
    if json:
        print_json(document)
        return
    for line in lines(document):
        write_line(line)


def open_inventory(given: str) -> Inventory:
    """The inventory that --inventory names, or the repository's and the lab's, with the virtual machines that `vagrant up` made.

    Raises:
        UsageError: a file has a fault, told with its file, line and key.
    """
    if given:
        inventory = read_inventory([inventory_file(Path(given))])
    else:
        inventory = read_inventory(inventory_files(HOME, LAB_INVENTORY), machine_files(HOME.parent))
    for warning in inventory.warnings:
        write_error(f"warning: {warning}")
    return inventory
