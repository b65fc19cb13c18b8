"""TensorFlow's way to write flags: `--name=value`, and its usage text.

In TensorFlow: util/command_line_flags.cc.

A bool may be `--name`, `--name=true` or `--name=false`. Of a repeated flag the last counts."""

import re
from collections.abc import Sequence
from dataclasses import Field, dataclass, fields
from typing import Any

from serving.options import ServerOptions

INTEGERS = {"int32": 31, "int64": 63}


@dataclass(frozen=True)
class Parsed:
    """What the arguments said: the options, or None when a value could not be read or help was asked for."""

    options: ServerOptions | None
    unknown: tuple[str, ...] = ()


def parse(arguments: Sequence[str]) -> Parsed:
    """Reads the arguments without the program's name. Those that are no flag are given back, not refused."""
    values: dict[str, Any] = {}
    unknown: list[str] = []
    readable = True
    for argument in arguments:
        flag = next((f for f in fields(ServerOptions) if argument.startswith(_beginning(f))), None)
        if flag is None:
            unknown.append(argument)
            continue
        try:
            values[flag.name] = _value(flag.metadata["kind"], argument.removeprefix(_beginning(flag)))
        except ValueError:
            readable = False
    if not readable or unknown[:1] == ["--help"]:
        return Parsed(None, tuple(unknown))
    return Parsed(ServerOptions(**values), tuple(unknown))


def _beginning(flag: Field[Any]) -> str:
    """How an argument for this flag begins: a bool's name may stand alone, so whatever follows it is its value."""
    return f"--{flag.name}" if flag.metadata["kind"] == "bool" else f"--{flag.name}="


def _value(kind: str, text: str) -> Any:
    """The value; raises ValueError for a text that TensorFlow does not read as that kind."""
    if kind == "string":
        return text
    if kind == "bool":
        if text not in ("", "=true", "=false"):
            raise ValueError(text)
        return text != "=false"
    if kind == "float":
        return float(text)
    if not re.fullmatch(r"[+-]?\d+", text.strip()):
        raise ValueError(text)
    number = int(text)
    if not -(1 << INTEGERS[kind]) <= number < 1 << INTEGERS[kind]:
        raise ValueError(text)
    return number


def usage(program: str) -> str:
    """The text of `--help`."""
    lines = [f"usage: {program}", "Flags:"]
    for flag in fields(ServerOptions):
        default = f"{str(flag.default).lower() if isinstance(flag.default, bool) else flag.default!r}".replace("'", '"')
        lines.append(f"\t{f'--{flag.name}={default}':<40}\t{flag.metadata['kind']}\t{flag.metadata['text']}")
    return "\n".join(lines) + "\n"


def table() -> str:
    """The flags as a Markdown table, as it stands in docs/serving.md."""
    rows = ["| Flag | Type | Default | Meaning |", "|---|---|---|---|"]
    for flag in fields(ServerOptions):
        default = f"`{str(flag.default).lower() if isinstance(flag.default, bool) else flag.default}`"
        if re.search(r"\(default: .*CPUs\)", flag.metadata["text"]):
            default = "by CPUs"
        if flag.default == "":
            default = ""
        rows.append(f"| `{flag.name}` | {flag.metadata['kind']} | {default} | {flag.metadata['text']} |")
    return "\n".join(rows) + "\n"
