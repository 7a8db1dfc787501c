"""Takes every command's help and the catalogue of models; gives `docs/cli.md` and the table in `docs/models.md`.

Run as `python -m gen_emerge.cli.docs`; tests compare what is written there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gen_emerge.cli.group import SHORT_HELP
from gen_emerge.cli.main import cli

_COLUMNS = 96
_HEAD = """# The command line

Written by `python -m gen_emerge.cli.docs` from the commands' own help; a test fails when the two disagree.

With `--json`, before or after the command, there is exactly one object on stdout, everything else on stderr. An error
is `{"error": {"code", "message", "hint"}}`. Exit codes:

| code | what |
| --- | --- |
| 0 | done |
| 1 | unexpected, or `verify` or `doctor` found problems |
| 2 | bad input: nothing was changed |
| 3 | another process holds the series |
| 4 | the series waits for your answers |
| 5 | a budget is spent, the disk is full, or the system gives no more memory or files: everything committed is kept |
| 130 | interrupted: everything committed is kept |
"""


def page() -> str:
    """The whole page."""
    parent = _context(cli, "gen-emerge", None)
    parts = [_HEAD, _block("gen-emerge", cli.get_help(parent))]
    for name in SHORT_HELP:
        command = cli.get_command(parent, name)
        assert command is not None
        here = _context(command, name, parent)
        parts.append(_block(f"gen-emerge {name}", command.get_help(here)))
        for inner, sub in sorted(command.commands.items()) if isinstance(command, click.Group) else ():
            parts.append(_block(f"gen-emerge {name} {inner}", sub.get_help(_context(sub, inner, here))))
    return "\n".join(parts)


BEGIN, END = "<!-- catalogue: written by `python -m gen_emerge.cli.docs` -->", "<!-- end of catalogue -->"


def models_table() -> str:
    """The catalogue as a table."""
    from gen_emerge.models.catalogue import catalogue

    lines = ["| name | role | what | MB | licence | published figures | known bias |", "| --- " * 7 + "|"]
    for entry in catalogue().values():
        commercial = {"no": "; **not for commercial use**", "unknown": "; commercial use: not known"}
        licence = entry.licence + commercial.get(entry.commercial, "")
        cells = (f"[{entry.name}]({entry.source})", entry.role, entry.what, f"{entry.megabytes:,}", licence)
        lines.append("| " + " | ".join((*cells, entry.accuracy, entry.bias)) + " |")
    return "\n".join(lines)


def with_table(text: str) -> str:
    """The page about models with its table as it should be."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{models_table()}\n\n{END}{rest.partition(END)[2]}"


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=_COLUMNS,
        help_option_names=["-h", "--help"],
        color=False,
    )


def _block(title: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## {title}\n\n```text\n{lines}\n```\n"


def main() -> None:
    """Write `docs/cli.md` of the checkout, or the file named; and the table in `docs/models.md`."""
    docs = Path(__file__).resolve().parents[2] / "docs"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else docs / "cli.md"
    path.write_text(page(), encoding="utf-8")
    if len(sys.argv) <= 1:
        models = docs / "models.md"
        models.write_text(with_table(models.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
