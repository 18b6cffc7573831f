"""Dependencies are taken only as the lock file wants them, and as they were installed."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Dict

import pytest

from fleet import vendor
from fleet.errors import FleetError

WHEEL = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with the distribution `toy`, first on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path)
    return tmp_path


def install(site: Path, wheel: bytes = WHEEL) -> None:
    files: Dict[str, bytes] = {
        "toy/__init__.py": b"x = 1\n",
        "toy-1.5.dist-info/METADATA": b"Metadata-Version: 2.1\nName: toy\nVersion: 1.5\n",
        "toy-1.5.dist-info/WHEEL": wheel,
        "toy-1.5.dist-info/licenses/LICENSE": b"free\n",
        "toy-1.5.dist-info/INSTALLER": b"pip\n",
    }
    record = []
    for name, data in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(data)}")
    record += ["toy/__pycache__/__init__.cpython-311.pyc,,", "toy-1.5.dist-info/RECORD,,"]
    (site / "toy-1.5.dist-info" / "RECORD").write_text("\n".join(record) + "\n")


def lock(folder: Path, text: str = "toy==1.5 ; python_version >= '3.9' \\\n    --hash=sha256:00\n") -> Path:
    path = folder / "requirements.lock"
    path.write_text(text)
    return path


def test_its_code_and_licences_are_taken(site: Path) -> None:
    version, files = vendor.take("toy", lock(site))
    assert version == "1.5"
    assert sorted(files) == ["toy-1.5.dist-info/METADATA", "toy-1.5.dist-info/licenses/LICENSE", "toy/__init__.py"]
    assert files["toy/__init__.py"] == b"x = 1\n"


def test_a_file_changed_since_is_refused(site: Path) -> None:
    (site / "toy" / "__init__.py").write_text("x = 2\n")
    with pytest.raises(FleetError, match=r"toy/__init__\.py was changed"):
        vendor.take("toy", lock(site))


def test_another_version_is_refused(site: Path) -> None:
    with pytest.raises(FleetError, match=r"version 1\.5; requirements\.lock wants 1\.6"):
        vendor.take("toy", lock(site, "toy==1.6 \\\n"))


def test_one_that_the_lock_does_not_name_is_refused(site: Path) -> None:
    with pytest.raises(FleetError, match="does not name toy"):
        vendor.take("toy", lock(site, "toyota==1.5\n"))


def test_compiled_code_is_refused(site: Path) -> None:
    install(site, WHEEL.replace(b"true", b"false"))
    with pytest.raises(FleetError, match="not pure Python"):
        vendor.take("toy", lock(site))


def test_one_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="is not in this environment"):
        vendor.take("no-such-distribution", lock(tmp_path))
