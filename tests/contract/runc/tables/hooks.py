"""Mutations of `hooks`: which are called, where, with what, and what becomes of the container when one fails."""

from __future__ import annotations

from typing import Any

from tests.contract.runc.mutation import Mutation

OUTSIDE = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")


def hook(stage: str, *words: str, **more: Any) -> dict[str, Any]:
    path, log = ("/bin/hook", "/hooks.log") if stage == "startContainer" else ("{bundle}/hook", "{bundle}/hooks.log")
    return {"path": path, "args": ["hook", log, stage if not words else words[0], *words[1:]], **more}


def hooks(**stages: list[dict[str, Any]]) -> dict[str, Any]:
    return {"hooks": stages}


ROWS: list[Mutation] = [
    *(Mutation(f"hooks: {stage}", hooks(**{stage: [hook(stage)]})) for stage in (*OUTSIDE, "startContainer")),
    Mutation(
        "hooks: all of them",
        hooks(**{stage: [hook(stage), hook(stage, "second", stage)] for stage in (*OUTSIDE, "startContainer")}),
    ),
    *(
        Mutation(f"hooks: {stage} with an environment", hooks(**{stage: [hook(stage, env=["A=b", "PATH=/bin"])]}))
        for stage in (*OUTSIDE, "startContainer")
    ),
    *(
        Mutation(
            f"hooks: {stage} fails",
            hooks(**{stage: [hook(stage, "fail"), hook(stage)], "poststop": [hook("poststop")]}),
            refused=stage,
        )
        for stage in ("prestart", "createRuntime", "createContainer", "startContainer")
    ),
    Mutation(
        "hooks: poststart fails",
        {**hooks(poststart=[hook("poststart", "fail")], poststop=[hook("poststop")]), "process.args": ["/bin/sleep", "100"]},
        refused="poststart",
    ),
    Mutation(
        "hooks: poststop of what cannot be made",
        {**hooks(poststop=[hook("poststop")]), "process.args": ["/bin/nothing"]},
        refused="/bin/nothing",
    ),
    Mutation("hooks: poststop fails", hooks(poststop=[hook("poststop", "fail"), hook("poststop")])),
    *(
        Mutation(f"hooks: {stage} takes too long", hooks(**{stage: [hook(stage, "sleep", timeout=1)]}), refused=stage)
        for stage in ("createRuntime", "createContainer")
    ),
    Mutation("hooks: without args", hooks(createRuntime=[{"path": "{bundle}/hook"}])),
    Mutation("hooks: not there", hooks(createRuntime=[{"path": "/nowhere/hook"}]), refused="/nowhere/hook"),
    Mutation("hooks: with annotations", {**hooks(createRuntime=[hook("createRuntime")]), "annotations": {"a": "b"}}),
    Mutation(
        "hooks: in a user's container",
        {**hooks(startContainer=[hook("startContainer")]), "process.user": {"uid": 1000, "gid": 1001}},
    ),
    Mutation("hooks: an unknown stage", hooks(sometime=[hook("sometime")])),
    Mutation("hooks: a relative path", hooks(createRuntime=[{"path": "hook"}]), refused="hooks.createRuntime[0].path"),
    Mutation("hooks: without a path", hooks(createRuntime=[{"args": ["hook"]}]), refused="hooks.createRuntime[0].path"),
    Mutation(
        "hooks: a timeout of 0",
        hooks(createRuntime=[{"path": "/bin/true", "timeout": 0}]),
        refused="hooks.createRuntime[0].timeout",
    ),
    Mutation(
        "hooks: a negative timeout",
        hooks(createRuntime=[{"path": "/bin/true", "timeout": -1}]),
        refused="hooks.createRuntime[0].timeout",
    ),
    Mutation("hooks: text", {"hooks": "all"}, refused="hooks"),
]
