"""The job, said once for all that do it: what each host shall be. Its parts are those of preparing a host for containers."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from pathlib import Path
from typing import Any, Dict

FIREWALL = "firewalld.service"
SELINUX_FILE, SELINUX = "/etc/selinux/config", "permissive"
REPOSITORY_FILE = "/etc/yum.repos.d/bench.repo"
REPOSITORY = {
    "name": "The packages of the benchmark",
    "baseurl": "file:///usr/share/lab/repository",
    "enabled": "1",
    "gpgcheck": "0",
}
PACKAGES = ("jq", "unzip", "wget")
SYSCTL_FILE = "/etc/sysctl.d/99-bench.conf"
SYSCTLS = {"net.ipv4.ip_forward": "1", "net.ipv4.tcp_keepalive_time": "600", "net.ipv4.tcp_fin_timeout": "30"}
DIRECTORY = "/etc/bench"
CONFIGURATION = f"{DIRECTORY}/daemon.json"
ARCHIVE = "/opt/bench"
UNIT = "bench.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
TEMPLATES = Path(__file__).parent / "roles" / "bench" / "templates"
VALUES = {"mirror": "https://mirror.example", "level": "info", "size": "10m"}
FILES, FILE_SIZE = 40, 50 << 10
WORDS = (
    *("FIREWALL", "SELINUX_FILE", "SELINUX", "REPOSITORY_FILE", "PACKAGES", "SYSCTL_FILE", "DIRECTORY", "CONFIGURATION"),
    *("ARCHIVE", "UNIT", "UNIT_FILE"),
)

# Takes away what the job brought, at the lowest cost: between two first runs, and never timed.
RESET = f"""
systemctl disable --now {UNIT} 2>/dev/null
rm -rf {UNIT_FILE} {ARCHIVE} {DIRECTORY} {REPOSITORY_FILE} {SYSCTL_FILE}
rm -rf /var/lib/skiff-agent /root/.ansible /var/cache/dnf/bench-* /tmp/pyinfra-*
rpm -e --nodeps {" ".join(PACKAGES)} 2>/dev/null
sed -i s/^SELINUX=.*/SELINUX=enforcing/ {SELINUX_FILE}
systemctl daemon-reload
systemctl enable --now {FIREWALL} 2>/dev/null
sysctl -q net.ipv4.ip_forward=0 net.ipv4.tcp_keepalive_time=7200 net.ipv4.tcp_fin_timeout=60
"""

# What every contender's host must answer, asked past SSH after each run.
PROOF = f"""
set -e
test "$(systemctl is-active {UNIT})" = active
test "$(systemctl is-enabled {UNIT})" = enabled
test "$(systemctl is-active {FIREWALL})" = inactive
rpm -q {" ".join(PACKAGES)} >/dev/null
grep -qx SELINUX={SELINUX} {SELINUX_FILE}
grep -q mirror.example {CONFIGURATION}
test "$(sysctl -n net.ipv4.tcp_keepalive_time)" = 600
test "$(ls {ARCHIVE}/files | wc -l)" = {FILES}
systemctl show -p ActiveEnterTimestampMonotonic --value {UNIT}
"""


def archive() -> bytes:
    """About 2 MB that do not compress, the same bytes each time."""
    source = random.Random(2)  # bytes that do not compress, and nobody's secret
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number in range(FILES):
            member = tarfile.TarInfo(f"files/{number:02d}.bin")
            member.size = FILE_SIZE
            tar.addfile(member, io.BytesIO(source.randbytes(FILE_SIZE)))
    return gzip.compress(buffer.getvalue(), 1, mtime=0)


def repository() -> str:
    """The repository file's text."""
    return "[bench]\n" + "".join(f"{key}={value}\n" for key, value in REPOSITORY.items())


def sysctls() -> str:
    """The sysctl file's text."""
    return "".join(f"{key} = {value}\n" for key, value in SYSCTLS.items())


def rendered() -> Dict[str, str]:
    """The two templates' texts, for the contender that has no templates of its own."""
    import jinja2

    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(str(TEMPLATES)), keep_trailing_newline=True)
    return {name: environment.get_template(f"{name}.j2").render(VALUES) for name in ("daemon.json", "bench.service")}


def words() -> Dict[str, Any]:
    """The job for contenders of other environments and languages: its names, values and texts."""
    names = {name.lower(): value for name, value in globals().items() if name in WORDS}
    texts = dict(zip(("configuration_text", "unit_text"), rendered().values()))
    texts.update(repository_text=repository(), sysctl_text=sysctls())
    return {**names, **VALUES, **texts, "values": VALUES, "templates": str(TEMPLATES)}
