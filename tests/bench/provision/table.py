"""The table: medians, and ratios pair by pair within a round, so that a machine whose speed drifts is as fast for both."""

from __future__ import annotations

import statistics
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

Samples = Sequence[Mapping[str, Any]]
PEERS = ("ideal", "pyinfra")


def draw(document: Mapping[str, Any]) -> str:
    """The whole of it as Markdown."""
    lines = ["| run | hosts | round trip | | wall s (least) | x ideal | x pyinfra | control CPU s | MB | host CPU s a host |"]
    lines.append("|" + " --- |" * 10)
    lines += rows(document["samples"])
    lines += ["", "| run without changes, one host | connections | execs | SFTP | round trips | bytes |", "|" + " --- |" * 6]
    for name, counts in document["counts"].items():
        keys = ("connections", "execs", "sftp", "round trips", "bytes")
        lines.append("| " + " | ".join([name, *(f"{counts[key]:,}" for key in keys)]) + " |")
    lines += ["", *beyond_the_start(document["samples"])]
    lines += [f"delay: {each}" for each in document["delay"] if each["rtt"]]
    return "\n".join([*lines, f"machine: {document['machine']}"])


def rows(samples: Samples) -> Iterator[str]:
    """A row for each contender, by phase, number of hosts and round trip."""
    seen = dict.fromkeys((each["phase"], each["hosts"], each["rtt"]) for each in samples)
    for phase, hosts, rtt in sorted(seen):
        here = [each for each in samples if (each["phase"], each["hosts"], each["rtt"]) == (phase, hosts, rtt)]
        for name in dict.fromkeys(each["contender"] for each in here):
            own = of(here, name)
            walls = values(own, "wall")
            cells = [phase, str(hosts), f"{rtt} ms", name, f"{statistics.median(walls):.2f} ({min(walls):.2f})"]
            cells += ["" if name == peer else ratio(own, of(here, peer)) for peer in PEERS]
            cells.append(f"{statistics.median(values(own, 'cpu')):.2f}")
            cells.append(f"{max(values(own, 'memory')):.0f}")
            cells.append(f"{statistics.median(values(own, 'hosts_cpu')) / hosts:.3f}")
            yield "| " + " | ".join(cells) + " |"


def ratio(own: Samples, peer: Samples) -> str:
    """The median of the ratios round by round, each of the round's median."""
    found = []
    for number in {each["round"] for each in own} & {each["round"] for each in peer}:
        pair = [statistics.median(values([each for each in side if each["round"] == number], "wall")) for side in (own, peer)]
        found.append(pair[0] / pair[1])
    return f"{statistics.median(found):.2f}" if found else ""


def beyond_the_start(samples: Samples) -> List[str]:
    """Control CPU a host: what each host beyond the fewest costs, in a run without changes."""
    lines = []
    quiet = [each for each in samples if each["phase"] != "first"]
    for rtt in sorted({each["rtt"] for each in quiet}):
        for name in dict.fromkeys(each["contender"] for each in quiet):
            cost = slope([each for each in of(quiet, name) if each["rtt"] == rtt])
            if cost is not None:
                lines.append(f"control CPU a host beyond the start, no change, {rtt} ms: {name} {cost:.3f} s")
    return lines


def slope(samples: Samples) -> Optional[float]:
    """CPU seconds for each host more."""
    by_hosts: Dict[int, float] = {
        hosts: statistics.median(values([each for each in samples if each["hosts"] == hosts], "cpu"))
        for hosts in {each["hosts"] for each in samples}
    }
    least, most = (min(by_hosts, default=0), max(by_hosts, default=0))
    return (by_hosts[most] - by_hosts[least]) / (most - least) if most > least else None


def of(samples: Samples, name: str) -> List[Mapping[str, Any]]:
    """One contender's samples."""
    return [each for each in samples if each["contender"] == name]


def values(samples: Samples, key: str) -> List[float]:
    """One figure of each."""
    return [each[key] for each in samples]
