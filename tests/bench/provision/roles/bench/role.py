"""The benchmark's job as a role of a user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List

from fleet.content import Content
from fleet.facts import Facts
from fleet.resources import Archive, Directory, Package, Repository, Resource, Selinux, Sysctl, Template, Unit
from fleet.variables import Variables
from tests.bench.provision import job

BUILT = Content.from_file(Path(os.environ["BENCH_ARCHIVE"]))


def resources(facts: Facts, variables: Variables) -> List[Resource]:
    """What docs/benchmarks.md tells, in its order."""
    return [
        Unit(job.FIREWALL, enabled=False, active=False),
        Selinux(job.SELINUX),
        Repository("bench", job.REPOSITORY["name"], job.REPOSITORY["baseurl"], gpgcheck=False),
        Package(job.PACKAGES),
        Sysctl("99-bench", job.SYSCTLS),
        Directory(job.DIRECTORY),
        Template(job.CONFIGURATION, "daemon.json.j2", job.VALUES),
        Archive(job.ARCHIVE, BUILT),
        Template(job.UNIT_FILE, "bench.service.j2", job.VALUES),
        Unit(
            job.UNIT,
            enabled=True,
            active=True,
            restart_on=(f"file:{job.CONFIGURATION}", f"archive:{job.ARCHIVE}", f"file:{job.UNIT_FILE}"),
        ),
    ]
