"""Hosts' runs on a real Dask scheduler and two workers, as far as they can be looked at without a host."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Tuple

import pytest

pytest.importorskip("distributed")
from dask import config
from distributed import Client
from distributed.protocol.pickle import dumps

from fleet.content import Content
from fleet.errors import UsageError
from fleet.events import Event
from fleet.inventory.model import Host
from fleet.roles import loader
from fleet.run import cluster as clusters
from fleet.run import engine, errand, sources
from fleet.run.connector import Connector
from fleet.run.fanout import Fanout
from fleet.run.job import FACTS, Job
from fleet.secret import Reference, references
from fleet.secrets.resolver import Resolver
from fleet.transport.login import Login
from tests.cluster import Cluster, cluster
from tests.unit.fleet.test_fanout import Heard

BIG = os.urandom(1 << 20)


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("dask")) as made:
        with Client(f"tcp://{made.address}", set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield made


@pytest.fixture(autouse=True)
def _no_client_left() -> Iterator[None]:
    """Dask closes a client that never connected as it is collected: in the thread of the next client's loop, that would hang."""
    yield
    gc.collect()


def connector() -> Connector:
    return Connector(Login("login-secret", connect_timeout=2), Resolver())


def refusing(count: int) -> List[Host]:
    """Hosts that refuse connections: nobody listens on port 1."""
    return [Host(f"h{number}", "127.0.0.1", port=1, user="me") for number in range(count)]


def test_events_come_while_the_run_goes_on_and_both_workers_take_part(dask: Cluster) -> None:
    job = Job(FACTS, inputs={"bundle": Content.of(BIG)}, become_password="sudo-secret")
    before = threading.active_count()
    ended: List[int] = []

    heard = Heard(lambda _: ended.append(len(fanout._outcomes)))
    with clusters.connected(f"tcp://{dask.address}") as client:
        share = clusters.Cluster(client, job, connector(), None)
        fanout = Fanout(job, connector(), [heard], share.limits(4), share)
        outcomes = fanout.run(refusing(8), share.executor)
        holders = client.get_metadata([errand.key(job.run)])
    assert [outcome.state for outcome in outcomes] == ["unreachable"] * 8
    assert {outcome.faults[0].brief for outcome in outcomes} == {"127.0.0.1 port 1 refuses connections"}
    assert [event.kind for event in heard.events if event.host == "h7"] == ["connecting", "finished"]
    assert ended[0] < 8, "all events came at the end"
    assert holders == {}, "the run's words are left at the scheduler"
    assert "secret" not in dask.said
    assert threading.active_count() <= before + 2


def test_a_worker_that_comes_later_takes_no_part(dask: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(FACTS)
    with clusters.connected(f"tcp://{dask.address}") as client:
        share = clusters.Cluster(client, job, connector(), None)
        first, later = share._workers()
        monkeypatch.setattr(share, "_workers", lambda: [first])
        limits = share.limits(8)
        monkeypatch.undo()
        took: Dict[str, str] = {}
        heard = Heard(lambda _: took.update(client.get_metadata([errand.key(job.run), "hosts"], default={})))
        outcomes = Fanout(job, connector(), [heard], limits, share).run(refusing(8), share.executor)
    assert [outcome.state for outcome in outcomes] == ["unreachable"] * 8
    assert set(took.values()) == {first} != {later}


def test_what_travels_for_a_host_holds_no_content_and_no_secret_where_the_scheduler_looks(dask: Cluster) -> None:
    job = Job(FACTS, inputs={"bundle": Content.of(BIG)}, become_password="sudo-secret")
    with clusters.connected(f"tcp://{dask.address}") as client:
        share = clusters.Cluster(client, job, connector(), None)
        share.begin(lambda _: None, lambda _: None)
        sent: List[object] = []

        class Executor:
            def submit(self, *words: object) -> None:
                sent.extend(words)

        share.submit(Executor(), refusing(1)[0])  # type: ignore[arg-type] # as much of one as is asked
        data = client.gather(sent[1])
        (holders,) = client.who_has(sent[1]).values()
        share.end()
    assert b"sudo-secret" not in data
    assert BIG in data
    assert "secret" not in repr(sent)
    # Each of them once; a worker that has it not yet fetches it from one of them.
    assert 1 <= len(holders) <= 2
    assert len(dumps(sent[0])) < 10_000


def test_an_errand_shows_no_secret() -> None:
    one = errand.Errand("r", "d", None, refusing(1)[0], connector(), "sudo-secret")
    assert "secret" not in repr(one)
    assert pickle.loads(pickle.dumps(one)).become_password == "sudo-secret"


def test_secrets_are_fetched_here_and_travel_with_the_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "env-secret")
    fetch = Resolver()
    here, missing = Reference("env", ("HERE",)), Reference("env", ("NOWHERE",), place="hosts.yml:3")
    found = fetch.taken(references({"a": [here], "b": {"c": missing}}))
    monkeypatch.delenv("HERE")
    assert b"env-secret" not in pickle.dumps(Job(FACTS, fetch=fetch))
    one = errand.Errand("r", "d", None, refusing(1)[0], connector(), None, found)
    assert "secret" not in repr(one)
    there = Resolver(pickle.loads(pickle.dumps(one)).secrets)
    assert there(here).reveal() == "env-secret"
    with pytest.raises(UsageError) as caught:
        there(missing)
    assert caught.value.brief == "hosts.yml:3: the environment has no NOWHERE"
    assert caught.value.resolution.startswith("set it")


def test_a_role_and_a_file_travel_as_what_they_are(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "role.py").write_text("def resources(facts, variables):\n    return [1]\n")
    (own / "defaults.yml").write_text("{}\n")
    (tmp_path / "file").write_bytes(b"text")
    for role in (loader.load_role("own", own), loader.load_role("kernel", loader.BUILT_IN / "kernel")):
        again = pickle.loads(pickle.dumps(role))
        assert (again.name, again.templates, again.variables.keys()) == (role.name, role.templates, role.variables.keys())
    content = pickle.loads(pickle.dumps(Content.from_file(tmp_path / "file")))
    assert content.source == b"text"


def test_a_silent_scheduler_no_scheduler_and_one_without_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "CONNECT", 1)
    with (
        pytest.raises(UsageError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"),
        clusters.connected("tcp://127.0.0.1:1"),
    ):
        pass
    with (
        cluster(tmp_path, workers=0) as empty,
        clusters.connected(f"tcp://{empty.address}") as client,
        pytest.raises(UsageError, match="the scheduler has no workers"),
    ):
        clusters.Cluster(client, Job(FACTS), connector(), None).limits(None)


def test_a_worker_with_other_sources_is_refused_by_name(dask: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with clusters.connected(f"tcp://{dask.address}") as client:
        share = clusters.Cluster(client, Job(FACTS), connector(), None)
        monkeypatch.setattr(share, "_digest", "another")
        with pytest.raises(UsageError, match=r"the worker tcp://127.* cannot take part") as caught:
            share.limits(None)
    assert "its sources differ" in caught.value.details


def test_the_digest_tells_sources_apart(tmp_path: Path) -> None:
    (tmp_path / "role.py").write_text("one")
    first = sources.digest(str(tmp_path))
    assert first == sources.digest(str(tmp_path)) != sources.digest(None)
    (tmp_path / "role.py").write_text("two")
    assert first != sources.digest(str(tmp_path))


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:8786", "tcp://[2001:db8::1]:8786"])
def test_plain_tcp_that_leaves_this_machine_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="would be sent passwords and files in plain text"):
        clusters.refuse_plain(address, "the scheduler")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://localhost:1", "tls://192.0.2.1:1"])
def test_the_loopback_and_tls_are_not(address: str) -> None:
    clusters.refuse_plain(address, "the scheduler")


def test_tls_without_certificates_is_told() -> None:
    with pytest.raises(UsageError, match="no Dask scheduler answers at tls://"), clusters.connected("tls://127.0.0.1:1"):
        pass


def certificates(directory: Path) -> Dict[str, str]:
    """An authority and a certificate by it, as Dask's environment names them."""
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -subj /CN=authority -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=skiff -keyout key.pem -out request",
        "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=directory, check=True, capture_output=True)
    names = {"CA_FILE": "ca.pem"}
    for role in ("CLIENT", "SCHEDULER", "WORKER"):
        names.update({f"{role}__CERT": "cert.pem", f"{role}__KEY": "key.pem"})
    return {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(directory / file) for name, file in names.items()}


def settings(tls: Mapping[str, str]) -> Iterator[Tuple[str, str]]:
    """The same for a process that has read its environment already."""
    for name, value in tls.items():
        yield name[len("DASK_") :].lower().replace("__", ".").replace("_", "-"), value


def test_a_cluster_that_speaks_tls(tmp_path: Path) -> None:
    tls = certificates(tmp_path)
    job = Job(FACTS)
    with cluster(tmp_path, 1, tls) as dask, config.set(dict(settings(tls))):
        with clusters.connected(f"tls://{dask.address}") as client:
            client.wait_for_workers(1, timeout=60)
            share = clusters.Cluster(client, job, connector(), None)
            assert all(worker.startswith("tls://") for worker in client.scheduler_info()["workers"])
            (outcome,) = Fanout(job, connector(), [], share.limits(1), share).run(refusing(1), share.executor)
        assert outcome.state == "unreachable"
        with pytest.raises(UsageError, match="no Dask scheduler answers"), clusters.connected(f"tcp://{dask.address}"):
            pass


@pytest.mark.parametrize("text", ["dask", "dask://", "dask://host", "http://host:1", "dask://host:port", "dask://me@host:1", ""])
def test_what_is_no_engine(text: str) -> None:
    with pytest.raises(UsageError, match="--engine: "):
        engine.check(text)


def test_saved_plans_are_for_threads_alone() -> None:
    used = engine.opened("dask://127.0.0.1:1", None, Job(FACTS, keep=True), connector(), "")
    with pytest.raises(UsageError, match="in threads of this machine alone"), used:
        pass


def test_without_dask_its_engine_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match="--engine: Dask is not installed here") as caught:
        engine.check("dask://127.0.0.1:8786")
    assert "pip install 'distributed" in caught.value.resolution


def test_engines() -> None:
    engine.check("threads")
    assert engine.scheduler("dask://127.0.0.1:8786") == "tcp://127.0.0.1:8786"
    assert engine.scheduler("tls://[fd00::1]:8786") == "tls://[fd00::1]:8786"


def test_a_host_whose_worker_was_killed_is_failed_and_met_by_no_other(tmp_path: Path) -> None:
    """A host that accepts and says nothing keeps both in hand; the worker that took it is killed."""
    with cluster(tmp_path) as dask, mute_server() as (port, met):
        job = Job(FACTS)
        with clusters.connected(f"tcp://{dask.address}") as client:
            client.wait_for_workers(2, timeout=60)
            share = clusters.Cluster(client, job, connector(), None)
            limits = share.limits(4)
            pids = dict(client.run(os.getpid))

            def act(event: Event) -> None:
                if event.kind == "connecting":
                    holder = client.get_metadata([errand.key(job.run), "hosts", event.host])
                    os.kill(pids[holder], signal.SIGKILL)

            slow = Connector(Login(connect_timeout=60, banner_timeout=60), Resolver())
            host = Host("h", "127.0.0.1", port=port, user="me")
            (outcome,) = Fanout(job, slow, [Heard(act)], limits, share).run([host], share.executor)
    assert outcome.state == "failed"
    assert "the worker that had this host in hand was lost" in outcome.faults[0].brief
    assert len(met) <= 1


@contextlib.contextmanager
def mute_server() -> Iterator[Tuple[int, List[socket.socket]]]:
    """The port of a server that accepts and says nothing, and the connections that it was sent."""
    met: List[socket.socket] = []
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                met.append(server.accept()[0])

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield server.getsockname()[1], met
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in (server, *met):
            connection.close()


def test_the_word_to_stop_reaches_the_workers_and_cuts_what_hangs(dask: Cluster) -> None:
    with mute_server() as (port, _):
        job = Job(FACTS)
        slow = Connector(Login(connect_timeout=600, banner_timeout=600), Resolver())

        def act(event: Event) -> None:
            if event.kind == "connecting":
                os.kill(os.getpid(), signal.SIGINT)

        with clusters.connected(f"tcp://{dask.address}") as client:
            share = clusters.Cluster(client, job, slow, None)
            fanout = Fanout(job, slow, [Heard(act)], share.limits(1), share)
            hosts = [Host(name, "127.0.0.1", port=port, user="me") for name in ("a", "b")]
            outcomes = fanout.run(hosts, share.executor)
    assert [outcome.state for outcome in outcomes] == ["interrupted"] * 2
    assert outcomes[0].faults[0].brief.startswith("interrupted while connecting to 127.0.0.1")


def test_a_scheduler_that_dies_ends_the_run_with_its_hosts_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "GONE", 2.0)
    with cluster(tmp_path) as dask, mute_server() as (port, _):
        job = Job(FACTS)
        slow = Connector(Login(connect_timeout=600, banner_timeout=600), Resolver())

        def act(event: Event) -> None:
            if event.kind == "connecting":
                dask.scheduler.kill()

        with clusters.connected(f"tcp://{dask.address}") as client:
            client.wait_for_workers(2, timeout=60)
            share = clusters.Cluster(client, job, slow, None)
            host = Host("h", "127.0.0.1", port=port, user="me")
            (outcome,) = Fanout(job, slow, [Heard(act)], share.limits(1), share).run([host], share.executor)
    assert outcome.state == "failed"
    assert "was lost" in outcome.faults[0].brief
