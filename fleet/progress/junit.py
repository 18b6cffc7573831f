"""A verification as JUnit XML, which CI servers read: a suite for each host, a case for each statement about it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import List
from xml.etree import ElementTree

from fleet.errors import UsageError
from fleet.events import Event, HostOutcome
from fleet.progress.cases import Case, cases
from fleet.progress.harmless import harmless
from fleet.progress.output import write_error


class Junit:
    """A listener that writes a file at the end. The file is whole, or is what it was before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = ""
        self._run = ""

    def begin(self, run: str, hosts: List[str]) -> None:  # noqa: ARG002 # a listener's
        """Finds out, before any host is connected to, that the file can be written."""
        self._run = run
        try:
            if self._path.is_dir():
                raise IsADirectoryError(21, "it is a directory")
            descriptor, self._aside = tempfile.mkstemp(prefix=f".{self._path.name}-", dir=self._path.parent)
            os.close(descriptor)
        except OSError as error:
            raise UsageError(f"--junit: {self._path} cannot be written: {error.strerror}") from error

    def hear(self, event: Event) -> None:
        """The outcome holds all that matters."""

    def end(self, outcomes: List[HostOutcome], interrupted: bool) -> None:  # noqa: ARG002 # a listener's
        """Writes the document."""
        try:
            ElementTree.ElementTree(document(self._run, outcomes)).write(self._aside, "utf-8", xml_declaration=True)
            os.replace(self._aside, self._path)
        except OSError as error:
            write_error(f"--junit: {self._path} cannot be written: {error.strerror}")
            with contextlib.suppress(OSError):
                os.unlink(self._aside)


def document(run: str, outcomes: List[HostOutcome]) -> ElementTree.Element:
    """The whole document."""
    root = ElementTree.Element("testsuites", name=f"skiff verify {run}")
    for outcome in outcomes:
        found = list(cases(outcome))
        errors = sum(case.broken for case in found)
        counts = {
            "tests": len(found),
            "failures": sum(case.counts for case in found) - errors,
            "errors": errors,
            "skipped": sum(bool(case.problem) and not case.counts for case in found),
        }
        numbers = {name: str(count) for name, count in counts.items()}
        suite = ElementTree.SubElement(root, "testsuite", {"name": outcome.host, "time": f"{outcome.seconds:.3f}", **numbers})
        for case in found:
            add(suite, outcome.host, case)
    return root


def add(suite: ElementTree.Element, host: str, case: Case) -> None:
    """One case."""
    element = ElementTree.SubElement(suite, "testcase", classname=f"{host}.{case.group}", name=harmless(case.title))
    if case.counts:
        tag = "error" if case.broken else "failure"
        fault = ElementTree.SubElement(element, tag, message=harmless(case.problem), type="host" if case.broken else "check")
        fault.text = harmless(case.details)
    elif case.problem:
        # The format has no warning: what is skipped is seen, and breaks no build.
        fault = ElementTree.SubElement(element, "skipped", message=harmless(f"{case.severity}: {case.problem}"))
        fault.text = harmless(case.details)
