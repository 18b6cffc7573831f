"""The option parser against the ways in which people write options."""

from __future__ import annotations

import pytest

from skiff.cli import options, run

TABLE = (
    ("-a, --all", "flag", "", ""),
    ("-q, --quiet", "flag", "", ""),
    ("-m, --memory", "text", "BYTES", ""),
    ("-e, --env", "list", "NAME=VALUE", ""),
    ("-t, --stop-time", "number", "N", ""),
)

RIGHT: list[tuple[list[str], dict[str, object], list[str]]] = [
    ([], {}, []),
    (["-aq", "x"], {"all": True, "quiet": True}, ["x"]),
    (["x", "-a"], {"all": True}, ["x"]),
    (["--all=false"], {"all": False}, []),
    (["-m", "32m"], {"memory": "32m"}, []),
    (["-m32m"], {"memory": "32m"}, []),
    (["-m=32m"], {"memory": "32m"}, []),
    (["-am", "32m"], {"all": True, "memory": "32m"}, []),
    (["--memory=a=b"], {"memory": "a=b"}, []),
    (["--memory", "-1"], {"memory": "-1"}, []),
    (["-e", "A=1", "--env", "B"], {"env": ["A=1", "B"]}, []),
    (["--stop-time", "-1"], {"stop_time": -1}, []),
    (["--", "-a"], {}, ["-a"]),
    (["-"], {}, ["-"]),
]


@pytest.mark.parametrize(("arguments", "values", "left"), RIGHT)
def test_what_is_right(arguments: list[str], values: dict[str, object], left: list[str]) -> None:
    assert options.parse(TABLE, arguments, interspersed=True) == (values, left)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bad"], "unknown flag: --bad"),
        (["-x"], "unknown shorthand flag: 'x' in -x"),
        (["--memory"], "flag needs an argument: --memory"),
        (["-m"], "flag needs an argument: 'm' in -m"),
        (["--all=perhaps"], "must be true or false"),
        (["-t", "soon"], "must be a whole number"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], message: str) -> None:
    with pytest.raises(options.UsageError, match=message) as caught:
        options.parse(TABLE, arguments, interspersed=True)
    assert caught.value.status == 125


def test_the_command_of_a_container_keeps_its_own_options() -> None:
    values, left = run.COMMAND.parse(["--rm", "busybox", "ls", "-l", "--all"])
    assert values == {"rm": True}
    assert left == ["busybox", "ls", "-l", "--all"]


def test_h_is_the_host_name_of_run_and_help_elsewhere() -> None:
    assert run.COMMAND.parse(["-h", "box", "image"])[0] == {"hostname": "box"}
    with pytest.raises(options.HelpWanted):
        options.parse(TABLE, ["-h"], interspersed=True)


@pytest.mark.parametrize(
    ("least", "most", "given", "words"),
    [
        (0, 0, 1, "accepts no arguments"),
        (1, 1, 0, "requires 1 argument"),
        (1, None, 0, "requires at least 1 argument"),
        (1, 2, 3, "requires between 1 and 2 arguments"),
    ],
)
def test_the_number_of_arguments_is_bounded(least: int, most: int | None, given: int, words: str) -> None:
    with pytest.raises(options.UsageError, match=words) as caught:
        options.Command("verb [X]", "s", least=least, most=most).parse(["x"] * given)
    assert caught.value.status == 1
