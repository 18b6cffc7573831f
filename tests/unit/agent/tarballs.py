"""Archives made in memory, honest and hostile."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import Mapping, Sequence

from fleet.content import Content


def tarball(files: Mapping[str, bytes], links: Mapping[str, str] = {}, extra: Sequence[tarfile.TarInfo] = ()) -> Content:
    """A tar.gz of files, links and whatever else."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o755 if name.startswith("bin/") else 0o644
            archive.addfile(member, io.BytesIO(text))
        for name, target in links.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
        for member in extra:
            archive.addfile(member)
    return Content.of(gzip.compress(data.getvalue(), mtime=0))
