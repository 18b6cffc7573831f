"""All the mutations, by the part of config.json that they change."""

from __future__ import annotations

from tests.contract.runc.mutation import Mutation
from tests.contract.runc.tables import cgroups, filesystem, hooks, kernel, process

MUTATIONS: list[Mutation] = [Mutation("base", {}), *process.ROWS, *filesystem.ROWS, *kernel.ROWS, *cgroups.ROWS, *hooks.ROWS]
