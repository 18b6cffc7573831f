"""Several sound changes at once, drawn at random: what each does must not depend on the others."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.contract.runc.accepted import ACCEPTED
from tests.contract.runc.bench import Bench
from tests.contract.runc.mutation import Mutation
from tests.contract.runc.tables import MUTATIONS
from tests.contract.runc.test_differential import compare

SOUND = [row for row in MUTATIONS if row.patch and not (row.refused or row.perhaps or row.flags) and row.name not in ACCEPTED]


def clash(one: str, other: str) -> bool:
    """Whether two dotted keys change the same place."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(SOUND), min_size=2, max_size=5, unique_by=lambda row: row.name))
def test_combinations(bench: Bench, rows: list[Mutation]) -> None:
    keys = [key.rstrip("+") for row in rows for key in row.patch]
    assume(not any(clash(one, other) for index, one in enumerate(keys) for other in keys[:index]))
    patch = {key: value for row in rows for key, value in row.patch.items()}
    compare(bench, Mutation(" and ".join(row.name for row in rows), patch, perhaps=" "), None)
