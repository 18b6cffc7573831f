from __future__ import annotations

import resource
from typing import List

import pytest

from fleet.run import places
from fleet.run.places import Limits, Places


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def taken(limits: Limits, clock: Clock, *hosts: str) -> Places:
    found = Places(limits, clock)
    for host in hosts:
        found.take(host)
    return found


def test_a_host_that_is_heard_of_keeps_its_place_and_a_silent_one_gives_it_away() -> None:
    clock = Clock()
    two = taken(Limits(2, 4), clock, "a", "b")
    assert two.free() == 0
    clock.now += places.SILENT
    assert two.free() == 2
    two.hear("a")
    assert two.free() == 1
    two.leave("a")
    assert two.free() == 2


def test_silent_hosts_are_bounded_too() -> None:
    clock = Clock()
    full = taken(Limits(2, 3), clock, "a", "b")
    clock.now += places.SILENT
    full.take("c")
    assert full.free() == 0
    full.leave("a")
    assert full.free() == 1


def test_a_word_of_a_host_that_has_left_takes_no_place() -> None:
    clock = Clock()
    one = taken(Limits(1, 1), clock, "a")
    one.leave("a")
    one.hear("a")
    assert one.free() == 1


@pytest.mark.parametrize(
    ("files", "forks", "expected"), [(20000, 5, [5, 517]), (256, 5, [5, 24]), (256, 500, [24, 24]), (16, 5, [1, 1])]
)
def test_descriptors_bound_both_numbers(monkeypatch: pytest.MonkeyPatch, files: int, forks: int, expected: List[int]) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert list(places.limits(forks)) == expected
