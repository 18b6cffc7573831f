"""Finds roles, built-in ones and those of a user's own directory, and imports their functions.

<roles>/<role>/role.py        refusals(facts, variables), resources(facts, variables),
                              release_refusals(id, like, version, variables)
<roles>/<role>/checks.py      CLAIMS, probes(facts, variables), judge(facts, variables, outcomes)
<roles>/<role>/defaults.yml   the variables
<roles>/../templates/<role>/  a built-in role's templates; a user's own role has them in <role>/templates/
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from fleet.checks import Check, Claim, Outcome, Probe
from fleet.errors import UsageError
from fleet.facts import Facts
from fleet.inventory.document import suggestion
from fleet.resources import Handler, Resource
from fleet.roles import ORDER
from fleet.roles.defaults import read_defaults
from fleet.variables import Variable, Variables

BUILT_IN = Path(__file__).resolve().parent.parent.parent / "roles"


@dataclass(frozen=True)
class Role:
    """A role's declared variables and functions; those that it leaves out give nothing.

    `release_refusals` is asked, with os-release's ID, ID_LIKE and VERSION_ID and the variables, before a host without Python is
    given one.
    """

    name: str
    templates: Path
    variables: Mapping[str, Variable]
    refusals: Callable[[Facts, Variables], Sequence[str]]
    resources: Callable[[Facts, Variables], Sequence[Union[Resource, Handler]]]
    probes: Callable[[Facts, Variables], Sequence[Probe]]
    judge: Callable[[Facts, Variables, Mapping[str, Outcome]], Sequence[Check]]
    release_refusals: Callable[[str, Sequence[str], str, Variables], Sequence[str]]
    path: Optional[Path] = None
    claims: Tuple[Claim, ...] = ()

    def __reduce__(self) -> Tuple[Callable[..., Role], Tuple[str, Optional[Path]]]:
        # It travels by its name: functions of a user's own file are in no module that could be imported elsewhere.
        return reload_role, (self.name, self.path)


def reload_role(name: str, path: Optional[Path]) -> Role:
    """A role that came from another process: a built-in one from the sources here, a user's own from the same path."""
    return load_role(name, path or BUILT_IN / name)


def find(built_in: Path, own: Optional[Path]) -> Dict[str, Path]:
    """Role directories by name, in the order in which they are applied.

    Raises:
        UsageError: the user's directory is none.
    """
    ordered = {name: built_in / name for name in ORDER if (built_in / name / "role.py").exists()}
    if own is None:
        return ordered
    if not own.is_dir():
        raise UsageError(f"--role-path: {own} is no directory")
    for path in sorted(own.iterdir()):
        if (path / "role.py").exists():
            ordered[path.name] = path
    return ordered


def select(names: Sequence[str], wanted: Sequence[str], skipped: Sequence[str]) -> List[str]:
    """The roles that `--roles` and `--skip-roles` leave, in their order.

    Raises:
        UsageError: one names no role, or none is left.
    """
    for option, given in (("--roles", wanted), ("--skip-roles", skipped)):
        for name in given:
            if name not in names:
                raise UsageError(f"{option}: there is no role {name!r}", resolution=suggestion(name, names))
    chosen = [name for name in names if (not wanted or name in wanted) and name not in skipped]
    if not chosen:
        raise UsageError("--roles and --skip-roles leave no role")
    return chosen


def load_role(name: str, path: Path) -> Role:
    """A role's functions and variables.

    Raises:
        UsageError: a file of the role cannot be imported or read.
    """
    role = import_file(name, path / "role.py")
    checks = import_file(name, path / "checks.py") if (path / "checks.py").exists() else ModuleType("checks")
    if not hasattr(role, "resources"):
        raise UsageError(f"{path / 'role.py'}: has no function resources(facts, variables)")
    templates = path.parent.parent / "templates" / name if path.parent == BUILT_IN else path / "templates"
    return Role(
        name=name,
        templates=templates,
        variables=read_defaults(name, path / "defaults.yml"),
        refusals=getattr(role, "refusals", nothing),
        resources=role.resources,
        probes=getattr(checks, "probes", nothing),
        judge=getattr(checks, "judge", nothing),
        release_refusals=getattr(role, "release_refusals", nothing),
        path=None if path.parent == BUILT_IN else path.resolve(),
        claims=claims_of(name, checks),
    )


def claims_of(role: str, checks: ModuleType) -> Tuple[Claim, ...]:
    """What a role says of every host; of one that does not list it no more is known than that it has something to say."""
    if not hasattr(checks, "judge"):
        return ()
    whole = Claim(role, f"What the role {role} checks", "what it says", "what it says")
    return tuple(getattr(checks, "CLAIMS", (whole,)))


def nothing(*_: object) -> Tuple[()]:
    """The answer of a function that a role leaves out."""
    return ()


def import_file(role: str, path: Path) -> ModuleType:
    """A module of a role: a built-in one under its own name, a user's own one under a name that no other role's can have."""
    try:
        if path.parent.parent == BUILT_IN:
            return importlib.import_module(f"roles.{role}.{path.stem}")
        name = f"skiff_own_role_{role}_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UsageError(f"{fault_place(error, path)}: cannot be imported: {type(error).__name__}: {said}") from error
    return module


def fault_place(error: BaseException, path: Path) -> str:
    """The line that failed: the syntax error's own, or the last one of the role's file in the traceback."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}:{lines[-1]}" if lines else str(path)
