"""The machine's own apt sources and settings, as mmdebstrap takes them: only the entries of Debian's main archive."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple

from fleet.errors import FleetError
from fleet.lab import command

# How this machine reaches its archive; other settings of apt are no business of the lab's.
SETTINGS = re.compile(r"Acquire::(http|https|ForceIPv[46]|Retries|Check-Valid-Until|Check-Date)\b")
ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")


class Source(NamedTuple):
    """One entry; `signed_by` is a path or an indented key block, "" where apt's trusted keys decide."""

    uris: str
    suites: str
    signed_by: str


def find(directory: Path, codename: str) -> List[Source]:
    """The entries below /etc/apt that carry Debian's `main` for the release, its updates and its security fixes.

    Raises:
        FleetError: there is none.
    """
    texts = [*directory.glob("sources.list"), *sorted(directory.glob("sources.list.d/*.list"))]
    found = [source for path in texts for source in _one_line(path.read_text())]
    for path in sorted(directory.glob("sources.list.d/*.sources")):
        found += _deb822(path.read_text())
    wanted = {codename, f"{codename}-updates", f"{codename}-security"}
    kept = []
    for source in found:
        suites = [suite for suite in source.suites.split() if suite in wanted]
        if suites:
            kept.append(source._replace(suites=" ".join(suites)))
    if not any(codename in source.suites.split() for source in kept):
        raise FleetError(
            f"apt has no source for Debian {codename}'s main archive.",
            f"looked in {directory}/sources.list and {directory}/sources.list.d",
            "Add Debian's archive to apt's sources, or use Vagrant: `vagrant up` makes the lab's hosts as virtual machines.",
        )
    return kept


def deb822(sources: Iterable[Source]) -> str:
    """The entries as the text of a .sources file."""
    stanzas = []
    for source in sources:
        lines = ["Types: deb", f"URIs: {source.uris}", f"Suites: {source.suites}", "Components: main"]
        if source.signed_by:
            lines.append(f"Signed-By: {source.signed_by}")
        stanzas.append("\n".join(lines) + "\n")
    return "\n".join(stanzas)


def settings() -> str:
    """Apt's settings for reaching the archive, as the text of an apt.conf file: proxies, mostly."""
    lines = [line for line in command.run(["apt-config", "dump", "--no-empty"]).splitlines() if SETTINGS.match(line)]
    return "\n".join([*lines, 'Acquire::Languages "none";']) + "\n"


def codename() -> str:
    """This machine's Debian release.

    Raises:
        FleetError: it is no Debian.
    """
    text = Path("/etc/os-release").read_text()
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    name = fields.get("VERSION_CODENAME", "").strip('"')
    if fields.get("ID", "").strip('"') != "debian" or not name:
        raise FleetError(
            "The lab's hosts are made from Debian's packages, and this machine is no Debian.",
            resolution="Use Vagrant: `vagrant up` makes the lab's hosts as virtual machines.",
        )
    return name


def _one_line(text: str) -> List[Source]:
    found = []
    for line in text.splitlines():
        match = ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match and "main" in match["components"].split():
            options = dict(option.split("=", 1) for option in (match["options"] or "").split() if "=" in option)
            found.append(Source(match["uri"], match["suite"], options.get("signed-by", "")))
    return found


def _deb822(text: str) -> List[Source]:
    found = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        enabled = fields.get("enabled", "yes").lower() not in {"no", "false", "0"}
        if enabled and "deb" in fields.get("types", "").split() and "main" in fields.get("components", "").split():
            found.append(Source(fields["uris"], fields["suites"], fields.get("signed-by", "")))
    return found


def _fields(stanza: str) -> Dict[str, str]:
    fields: Dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            fields[name] = f"{fields.get(name, '')}\n{line}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields
