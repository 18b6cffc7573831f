"""The files beside an inventory: group_vars/<group> and host_vars/<host>, each a file or a directory of files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Dict, List

from fleet.inventory.document import VAULT_CURE, Entry, parse, read, shown, suggestion
from fleet.inventory.gathered import Gathered
from fleet.inventory.model import ALL
from fleet.inventory.native import settings_of

ENDINGS = (".yml", ".yaml", ".json")
VAULT = "$ANSIBLE_VAULT;"


def read_beside(gathered: Gathered, directory: Path, foreign: bool) -> None:
    """The files of one directory; `foreign` says that they are Ansible's, which passes over those of unknown names.

    Raises:
        UsageError: a file is faulty, or of a group or host that is not there.
    """
    for name, path in named(gathered, directory / "group_vars").items():
        if name == ALL or name in gathered.groups:
            group = gathered.everywhere if name == ALL else gathered.groups[name]
            (group.beside if foreign else group.settings).update(variables(gathered, path, foreign, of_host=False))
        elif not foreign and meant(path):
            Entry(None, path, 1, "").refuse(f"there is no group {name!r}", suggestion(name, gathered.groups))
    for name, path in named(gathered, directory / "host_vars").items():
        if name in gathered.hosts:
            gathered.hosts[name].update(variables(gathered, path, foreign, of_host=True))
        elif not foreign and meant(path):
            Entry(None, path, 1, "").refuse(f"there is no host {name!r}", suggestion(name, gathered.hosts))


def named(gathered: Gathered, directory: Path) -> Dict[str, Path]:
    """What each group or host has: the first of NAME, NAME.yml, NAME.yaml, NAME.json."""
    found: Dict[str, Path] = {}
    paths = [path for path in sorted(directory.iterdir()) if visible(path)] if directory.is_dir() else []
    for ending in ("", *ENDINGS):
        for path in paths:
            if (path.suffix if path.suffix in ENDINGS else "") != ending:
                continue
            name = path.name[: -len(ending)] if ending else path.name
            if name in found:
                gathered.warnings.append(f"{shown(path)}: is not read, for {shown(found[name])} is there")
            found.setdefault(name, path)
    return found


def visible(path: Path) -> bool:
    """Whether it is no editor's file: hidden, or a backup."""
    return not path.name.startswith(".") and not path.name.endswith("~")


def meant(path: Path) -> bool:
    """Whether a path is surely meant as one with variables, not as a README."""
    return path.suffix in ENDINGS or path.is_dir()


def variables(gathered: Gathered, path: Path, foreign: bool, of_host: bool) -> Dict[str, Entry]:
    """The settings in a file, or in a directory's files, the later over the earlier."""
    found: Dict[str, Entry] = {}
    for file in files(path):
        text = read(file)
        if text.startswith(VAULT):
            if not foreign:
                Entry(None, file, 1, "").refuse("is encrypted by ansible-vault", VAULT_CURE)
            gathered.warnings.append(f"{shown(file)}: is encrypted by ansible-vault and not read; {VAULT_CURE}")
            continue
        document = parse(text, file)
        if foreign:
            found.update({name: replace(entry, foreign=True) for name, entry in document.mapping().items()})
        else:
            found.update(settings_of(document, of_host))
    return found


def files(path: Path) -> List[Path]:
    """A file, or those below a directory that are named as Ansible names them."""
    if not path.is_dir():
        return [path]
    found: List[Path] = []
    for below in sorted(path.iterdir()):
        if visible(below) and (not below.suffix or (below.suffix in ENDINGS and not below.is_dir())):
            found += files(below)
    return found
