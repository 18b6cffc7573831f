"""A process's numbers as an error for a person."""

from __future__ import annotations

import errno
import os

from skiff.linux import processes
from skiff.oci import command, failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.steps import EntrantPlan


def explain(plan: EntrantPlan, step: int, number: int, index: int) -> failure.CreateError:
    """What failed at which step, in runc's words where callers match on them."""
    name = failure.NAMES[step]
    text = _text(plan, step, number, index)
    if number == failure.NOT_IN_PATH:
        number = errno.ENOENT
    elif number == failure.IS_DIRECTORY:
        number = errno.EACCES
    return failure.CreateError(name, number if number < failure.NOT_IN_PATH else 0, text)


def _text(plan: EntrantPlan, step: int, number: int, index: int) -> str:
    process = plan.process
    words = failure.describe(number) if number < failure.NOT_IN_PATH else "an internal error"
    if number == failure.HOOK_FAILED:
        said = processes.last_of(getattr(plan, "hook_output", -1))
        return f"error running {failure.NAMES[step]} #{index}: it failed or ran past its timeout{f': {said}' if said else ''}"
    if step == failure.COMMAND:
        return command.message(os.fsdecode(process.args[0]), number)
    if number == failure.NO_SUCH_USER:
        return f"unable to find user {os.fsdecode(process.username.partition(b':')[0])}: no matching entries in passwd file"
    if number == failure.NO_SUCH_GROUP:
        return f"unable to find group {os.fsdecode(process.username.partition(b':')[2])}: no matching entries in group file"
    if number == failure.NO_SETGROUPS:
        return "process.user.additionalGids: this user namespace forbids other groups: map gids by newgidmap, or take them out"
    if step == failure.USER and number == errno.EINVAL:
        return f"process.user: uid {process.uid} or gid {process.gid} is not mapped in the user namespace"
    if step == failure.LIMITS and index < len(process.rlimits):
        return _limit(process.rlimits[index], number, words)
    return f"{_place(plan, step, index)}: {words}"


def _place(plan: EntrantPlan, step: int, index: int) -> str:
    """What could not be done, or the key that asked for it."""
    process = plan.process
    if step == failure.ROOTFS:
        return f"error mounting the root: {_operation(plan, index)}"
    if step == failure.CWD:
        return f'chdir to cwd ("{os.fsdecode(process.cwd)}") set in config.json failed'
    if step == failure.OOM:
        return f"process.oomScoreAdj {process.oom_score_adj}"
    if step == failure.LABEL and process.label is not None:
        return f"{process.label.words} is not loaded on this host, or may not be entered"
    if step == failure.EXEC:
        return f"exec {os.fsdecode(process.args[0])}"
    return f"could not set up {failure.NAMES[step]}"


def _operation(plan: EntrantPlan, index: int) -> str:
    rootfs = getattr(plan, "rootfs", None)
    operations = rootfs.operations() if rootfs is not None else []
    return str(operations[index]) if index < len(operations) else "enter the root"


def _limit(limit: tuple[str, int, int, int], number: int, words: str) -> str:
    name, _, soft, hard = limit
    if number == errno.EPERM:
        shown = "unlimited" if hard < 0 else hard
        words = f"the hard limit {shown} is above that of skiff-oci, which may not raise it: lower it, or grant CAP_SYS_RESOURCE"
    elif number == errno.EINVAL:
        words = f"the soft limit {'unlimited' if soft < 0 else soft} is above the hard limit {hard}"
    return f"error setting rlimits for {name}: {words}"
