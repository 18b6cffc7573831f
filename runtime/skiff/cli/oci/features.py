"""skiff-oci features: what this runtime knows, as the specification's features document; not what the host's kernel has."""

from __future__ import annotations

import json

from skiff import VERSION
from skiff.cli.oci import options
from skiff.linux import capabilities, libseccomp, seccomp
from skiff.oci import mountoptions
from skiff.spec import seccomp as words
from skiff.spec import validate
from skiff.spec.defaults import OCI_VERSION
from skiff.spec.hooks import STAGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.oci.store import Store


def main(_: Store, arguments: list[str]) -> int:
    """Exit status."""
    options.none(options.parse(arguments, {})[1])
    print(json.dumps(document(), indent=4))
    return 0


def document() -> dict[str, Any]:
    """The document."""
    flags = sorted(seccomp.FLAGS)
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": list(STAGES),
        "mountOptions": mountoptions.known(),
        "linux": {
            "namespaces": sorted(validate.NAMESPACES),
            "capabilities": list(capabilities.NAMES),
            "cgroup": {"v1": True, "v2": True, "systemd": True, "systemdUser": False, "rdma": True},
            "seccomp": {
                "enabled": libseccomp.present(),
                "actions": sorted(words.ACTIONS),
                "operators": sorted(words.OPERATORS),
                "archs": sorted(words.ARCHITECTURES),
                "knownFlags": flags,
                "supportedFlags": flags,
            },
            "apparmor": {"enabled": True},
            "selinux": {"enabled": True},
            "intelRdt": {"enabled": False},
            "mountExtensions": {"idmap": {"enabled": True}},
        },
        "annotations": {"org.skiff.version": VERSION},
        "potentiallyUnsafeConfigAnnotations": [],
    }
