"""A pod, as the kubelet makes one of a RuntimeClass: containerd's Kubernetes plugin finds skiff-oci by the handler's name."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from tests.contract import cri
from tests.contract.archives import busybox_layer, write_docker_archive
from tests.contract.callers import RUNTIME, Containerd, nothing_left, program
from tests.contract.conftest import needs_root
from tests.contract.cri import message

NODE = 2  # the namespace of the node: no network plugin is needed then
PAUSE = "registry.k8s.io/pause:3.6"


@pytest.fixture
def containerd(tmp_path: Path, short_directory: str) -> Iterator[Containerd]:
    """With an image of a busybox, which stands for the pause image of pods too."""
    needs_root()
    program("curl", "curl")
    layer = busybox_layer(Path("/bin/busybox").read_bytes())
    write_docker_archive(tmp_path / "pause.tar", layer, PAUSE, {"Cmd": ["sleep", "1000"], "Env": ["PATH=/bin"]})
    made = Containerd(tmp_path, short_directory)
    words = [made.client, "--address", made.socket, "--namespace", "k8s.io", "images", "import", "--snapshotter", "native"]
    subprocess.run([*words, str(tmp_path / "pause.tar")], check=True, capture_output=True)
    yield made
    made.kill(signal.SIGTERM)
    nothing_left(short_directory, str(tmp_path))


def pod(name: str) -> bytes:
    metadata = message((1, name), (2, f"{name}-uid"), (3, "default"))
    security = message((1, message((1, NODE))))
    return message((1, metadata), (8, message((2, security))))


@pytest.fixture
def sandbox(containerd: Containerd) -> Iterator[bytes]:
    """A pod's id."""
    made = cri.call(containerd.socket, "RunPodSandbox", message((1, pod("first")), (2, "skiff")))[1]
    assert isinstance(made, bytes)
    yield made
    cri.call(containerd.socket, "StopPodSandbox", message((1, made)))
    cri.call(containerd.socket, "RemovePodSandbox", message((1, made)))


def test_a_pod_of_the_handler(containerd: Containerd, sandbox: bytes) -> None:
    config = message((1, message((1, "main"))), (2, message((1, PAUSE))), (3, "sleep"), (3, "1000"))
    container = cri.call(containerd.socket, "CreateContainer", message((1, sandbox), (2, config), (3, pod("first"))))[1]
    assert isinstance(container, bytes)
    cri.call(containerd.socket, "StartContainer", message((1, container)))
    command = ((2, "sh"), (2, "-c"), (2, "echo in the pod; exit 4"))
    answer = cri.call(containerd.socket, "ExecSync", message((1, container), *command, (3, 20)))
    assert (answer[1], answer[3]) == (b"in the pod\n", 4)
    assert RUNTIME.encode() in runtime_of(containerd, container.decode())


def runtime_of(containerd: Containerd, container: str) -> bytes:
    """The options of containerd's shim for a container, where the program that it calls is named."""
    words = [containerd.client, "--address", containerd.socket, "--namespace", "k8s.io", "containers", "info", container]
    found = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    return base64.b64decode(found["Runtime"]["Options"]["value"])


def test_a_handler_that_is_not_configured(containerd: Containerd) -> None:
    with pytest.raises(cri.Refused, match="nosuch"):
        cri.call(containerd.socket, "RunPodSandbox", message((1, pod("second")), (2, "nosuch")))
