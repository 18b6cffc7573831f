"""`skiff completion bash`: a script that completes verbs, options, and names of containers and images."""

from __future__ import annotations

from skiff.cli import options
from skiff.cli.main import GLOBAL, VERBS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = options.Command(
    "completion bash",
    "Print a script that completes command lines of bash",
    examples='eval "$(skiff completion bash)"',
    least=1,
    most=1,
)
SCRIPT = """\
_skiff() {
    local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} options
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "@VERBS@ @GLOBAL@ --help" -- "$word"))
        return
    fi
    case $verb in
@CASES@
    esac
    case $verb:$word in
        *:-*) COMPREPLY=($(compgen -W "$options --help" -- "$word")) ;;
        load:*) COMPREPLY=($(compgen -f -- "$word")) ;;
        stop:*|kill:*|rm:*|logs:*|inspect:*)
            COMPREPLY=($(compgen -W "$(skiff ps -a 2>/dev/null | awk 'NR > 1 {print $NF}')" -- "$word")) ;;
        run:*|rmi:*)
            COMPREPLY=($(compgen -W "$(skiff images 2>/dev/null | awk 'NR > 1 {print $1 ":" $2}')" -- "$word")) ;;
    esac
}
complete -F _skiff skiff
"""


def run(_host: str, _values: dict[str, Any], arguments: list[str]) -> int:
    """Print the script."""
    if arguments != ["bash"]:
        raise options.UsageError(f"'{arguments[0]}' is not a shell that is completed here; it can be bash", 1)
    cases = "\n".join(f'        {verb}) options="{_names(_options(verb))}" ;;' for verb in VERBS)
    print(SCRIPT.replace("@VERBS@", " ".join(VERBS)).replace("@GLOBAL@", _names(GLOBAL)).replace("@CASES@", cases), end="")
    return 0


def _options(verb: str) -> Any:
    return __import__(f"skiff.cli.{verb}", fromlist=["COMMAND"]).COMMAND.options


def _names(rows: Any) -> str:
    return " ".join(name for row in rows for name in row[0].split(", "))
