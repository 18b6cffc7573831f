"""Opens the inventory that a task's options name, and says what of it is not followed."""

from __future__ import annotations

from pathlib import Path

from fleet.inventory.load import inventory_file, inventory_files, read_inventory
from fleet.inventory.model import Inventory
from fleet.progress.output import write_error

HOME = Path(__file__).resolve().parent.parent.parent / "inventory"
LAB_INVENTORY = Path("/var/lib/skiff-lab/labs/lab/inventory.yml")


def open_inventory(given: str) -> Inventory:
    """The inventory that --inventory names, or the repository's and the lab's.

    Raises:
        UsageError: a file has a fault, told with its file, line and key.
    """
    paths = [inventory_file(Path(given))] if given else inventory_files(HOME, LAB_INVENTORY)
    inventory = read_inventory(paths)
    for warning in inventory.warnings:
        write_error(f"warning: {warning}")
    return inventory
