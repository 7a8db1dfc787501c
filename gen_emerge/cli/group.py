"""Takes a command's name; gives the command, imported only now. `--help` lists them without importing any."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType

import click

from gen_emerge.errors import nearest

SECTIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "Begin": {
            "init": "Make a studio folder.",
            "new": "Make a series: one file that says what to run.",
            "doctor": "Say what works on this machine.",
        },
        "A series": {
            "run": "Start a series, or continue it.",
            "import": "Bring pictures made elsewhere into a series.",
            "status": "Say how a series stands, or all of them.",
            "inspect": "Show the map: elites, axes, gates; as JSON, a page or a picture.",
            "rescore": "Try another scorer on past images; switch to it, or go back.",
            "verify": "Check every stored image and the whole history.",
            "export": "Copy elites into a folder, with a contact sheet if you like.",
            "upgrade": "Bring a series' database to this version's schema.",
        },
        "Your judgement": {
            "rounds": "Show the open questions of a series, or ask for some.",
            "judge": "Answer them: in the terminal, or from a file.",
            "agreement": "Say how far people agree with the machine, and with one another.",
            "calibrate": "Move the gates by your judgements, or back.",
            "compass": "Say which words you like and which you do not; forbid words.",
        },
        "Models": {
            "models": "List, fetch, verify and find the models of the diffusion profile.",
            "train": "Train small models of your own: a classifier of schools, a distance, your taste.",
        },
        "Single pictures": {
            "paint": "Paint one picture from a prompt.",
            "score": "Measure the gates' signals of pictures.",
            "distance": "Measure how far pictures are from each other.",
        },
    }
)
SHORT_HELP: Mapping[str, str] = {name: text for section in SECTIONS.values() for name, text in section.items()}


class LazyGroup(click.Group):
    """A group whose commands live in `gen_emerge.cli.commands.NAME`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, as in the help."""
        return list(SHORT_HELP)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in SHORT_HELP:
            return None
        command: click.Command = importlib.import_module(f"gen_emerge.cli.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one."""
        if args and args[0] not in SHORT_HELP and not args[0].startswith("-"):
            raise UnknownCommand(args[0], ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list from the table above."""
        width = max(map(len, SHORT_HELP)) + 2
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width - 2), text) for name, text in commands.items()])


class UnknownCommand(click.UsageError):
    """There is no such command."""

    def __init__(self, name: str, context: click.Context) -> None:
        super().__init__(f'There is no command "{name}".', context)
        self.hint = nearest(name, SHORT_HELP)
