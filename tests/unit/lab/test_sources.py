from __future__ import annotations

from pathlib import Path

import pytest

from fleet.errors import FleetError
from fleet.lab import command, sources

DEB822 = """\
Types: deb deb-src
# a remark
URIs: http://debian.invalid/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://debian.invalid/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
Enabled: no
URIs: http://off.invalid/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://src.invalid/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://other.invalid/node
Suites: nodistro
Components: main
"""
ONE_LINE = """\
# deb http://comment.invalid/debian bookworm main
deb [arch=amd64 signed-by=/etc/apt/keyrings/x.gpg] http://debian.invalid/debian bookworm main contrib # remark
deb http://vendor.invalid/linux/debian bookworm stable
deb-src http://debian.invalid/debian bookworm main
deb http://debian.invalid/debian bookworm-updates main
"""


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_deb822_entries_of_debians_main_are_taken_and_no_other(apt: Path) -> None:
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822)
    found = sources.find(apt, "bookworm")
    assert [(source.uris, source.suites) for source in found] == [
        ("http://debian.invalid/debian", "bookworm bookworm-updates"),
        ("http://debian.invalid/debian-security", "bookworm-security"),
    ]
    assert found[0].signed_by == "/usr/share/keyrings/debian-archive-keyring.gpg"


def test_an_embedded_key_survives_the_way_to_mmdebstrap(apt: Path) -> None:
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822)
    text = sources.deb822(sources.find(apt, "bookworm"))
    assert "Signed-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END" in text
    (apt / "sources.list.d" / "debian.sources").write_text(text)
    assert sources.deb822(sources.find(apt, "bookworm")) == text


def test_one_line_entries(apt: Path) -> None:
    (apt / "sources.list").write_text(ONE_LINE)
    assert sources.find(apt, "bookworm") == [
        sources.Source("http://debian.invalid/debian", "bookworm", "/etc/apt/keyrings/x.gpg"),
        sources.Source("http://debian.invalid/debian", "bookworm-updates", ""),
    ]


def test_without_the_archive_the_error_names_vagrant(apt: Path) -> None:
    (apt / "sources.list").write_text("deb http://debian.invalid/debian bookworm-updates main\n")
    with pytest.raises(FleetError, match="no source for Debian bookworm's main archive") as caught:
        sources.find(apt, "bookworm")
    assert "Vagrant" in caught.value.resolution


def test_only_settings_for_reaching_the_archive_are_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    dump = 'Acquire::http::Proxy "http://proxy.invalid:3128";\nAPT::Install-Recommends "1";\nAcquire::Check-Valid-Until "false";\n'
    monkeypatch.setattr(command, "run", lambda _argv: dump)
    assert sources.settings().splitlines() == [
        'Acquire::http::Proxy "http://proxy.invalid:3128";',
        'Acquire::Check-Valid-Until "false";',
        'Acquire::Languages "none";',
    ]
