"""Starts the command that a wrapper in bin/ names; finds the package beside itself, for -I -S leave sys.path bare.

Python compiles this file anew at every start: what it does is in entry.py.
"""

import gc
import os
import sys

gc.disable()  # there is nothing to collect yet, and each collection looks at all that was imported
# What is imported late, and the launchers that skiffd starts, are of this version, wherever /opt/skiff/current leads by then.
ROOT = os.path.realpath(__file__.rpartition("/skiff/")[0] or ".")
sys.path.insert(0, ROOT)

from skiff.entry import enter  # noqa: E402

if __name__ == "__main__":
    enter(ROOT, sys.argv[1], sys.argv[2:])
