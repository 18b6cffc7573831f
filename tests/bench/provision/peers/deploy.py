"""The job for pyinfra; the job's words come from the file that BENCH_JOB names."""

import json
import os
from io import StringIO

from pyinfra.operations import dnf, files, server, systemd  # type: ignore[import-not-found] # in the environment of the peers

with open(os.environ["BENCH_JOB"]) as stream:
    job = json.load(stream)

systemd.service(service=job["firewall"], running=False, enabled=False)
files.line(path=job["selinux_file"], line="^SELINUX=.*", replace="SELINUX=" + job["selinux"])
files.put(src=StringIO(job["repository_text"]), dest=job["repository_file"], mode="644")
dnf.packages(packages=job["packages"])
parameters = files.put(src=StringIO(job["sysctl_text"]), dest=job["sysctl_file"], mode="644")
server.shell(commands=["sysctl -q -p " + job["sysctl_file"]], _if=parameters.did_change)
files.directory(path=job["directory"])
configuration = files.template(src=job["templates"] + "/daemon.json.j2", dest=job["configuration"], mode="644", **job["values"])
files.directory(path=job["archive"])
sent = files.put(src=os.environ["BENCH_ARCHIVE"], dest=job["directory"] + "/archive.tar.gz", mode="644")
server.shell(commands=["tar -xzf {directory}/archive.tar.gz -C {archive}".format(**job)], _if=sent.did_change)
unit = files.template(src=job["templates"] + "/bench.service.j2", dest=job["unit_file"], mode="644", **job["values"])
systemd.daemon_reload(_if=unit.did_change)
systemd.service(service=job["unit"], running=True, enabled=True)
systemd.service(
    service=job["unit"],
    running=True,
    restarted=True,
    _if=lambda: any(each.did_change() for each in (configuration, sent, unit)),
)
server.shell(commands=["systemctl is-active " + job["unit"]])
