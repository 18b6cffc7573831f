"""Starts the command that a wrapper in bin/ names; finds the package beside itself, for -I -S leave sys.path bare."""

import os
import sys


def main() -> int:
    """Put the package, and for the daemon its dependencies, on sys.path; then hand over."""
    root = __file__.rpartition("/skiff/")[0] or "."
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "skiffd":
        # What it imports late, and the launchers it starts, are of this version, wherever /opt/skiff/current leads by then.
        root = os.path.realpath(root)
    sys.path.insert(0, root)
    if command == "skiffd":
        add_dependencies(root)
        from skiff.daemon.main import main as run
    elif command == "launcher":
        from skiff.launcher.server import main as run
    elif command == "skiff":
        from skiff.cli.main import main as run
    else:
        from skiff.cli.oci import main as run
    return run(arguments)


def add_dependencies(root: str) -> None:
    """vendor/ in a bundle; in a checkout, which has none, the interpreter's own site-packages."""
    vendor = f"{root}/vendor"
    if os.path.isdir(vendor):
        sys.path.insert(1, vendor)
    else:
        import site

        site.main()


def end(status: int) -> None:
    """Without Python's tidying up of all that the kernel takes back anyway, 6 ms; but skiffd has threads to wait for."""
    if sys.argv[1] == "skiffd":
        sys.exit(status)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(status)  # which tries again, and says what is wrong
    os._exit(status)


if __name__ == "__main__":
    end(main())
