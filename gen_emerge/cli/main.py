"""Takes the arguments; gives the exit code. Every error leaves by one door: a sentence, a hint, and its code.

0 done; 1 unexpected, or problems found; 2 bad input; 3 held by another process; 4 waiting for a human; 5 budget,
disk or a limit of the system; 130 interrupted.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from gen_emerge import __version__
from gen_emerge.cli.app import INTERRUPTED, PATH, App, colours
from gen_emerge.cli.group import LazyGroup, UnknownCommand
from gen_emerge.cli.system import closed_pipe, from_system, open_streams, settle
from gen_emerge.errors import GenEmergeError, nearest


def _version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        as_json = "--json" in context.ensure_object(list)
        click.echo(json.dumps({"version": __version__}) if as_json else f"gen-emerge {__version__}")
        context.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.option("--root", type=PATH, metavar="DIR", help="The studio folder.  [default: found]")
@click.option("--archive", type=PATH, metavar="DIR", help="Where images go.  [ROOT/archive]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout; logs go to stderr.")
@click.option("--debug", is_flag=True, help="Show where an unexpected error came from.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.pass_context
def cli(context: click.Context, root: Path | None, archive: Path | None, as_json: bool, debug: bool) -> None:
    """Long series of generated art that stay diverse.

    A series renders images, measures them, keeps what is viable, and fills a map with images that differ. You answer a
    few questions about pairs of them; it goes on from there. Kill it whenever you like, nothing is lost.

    \b
    A first run, on any machine:
        gen-emerge init studio && cd studio
        gen-emerge run first-light
        gen-emerge inspect first-light --html map.html
        gen-emerge judge first-light

    The studio folder is the nearest parent that holds experiments/ and prompts/.
    """  # noqa: D301
    context.obj = App(root=root, archive=archive, json=as_json, debug=debug)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: arguments without the program's name; None for the process's own.

    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not open_streams():
        return 1
    code = _called(arguments)
    settle()
    return code


def _called(arguments: list[str]) -> int:
    before_end = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json, debug = "--json" in before_end, "--debug" in before_end
    try:
        try:
            code = cli.main(
                args=arguments, prog_name="gen-emerge", standalone_mode=False, obj=arguments, color=colours()
            )
        except click.exceptions.NoArgsIsHelpError as error:
            if as_json:
                raise click.UsageError("Missing command.", error.ctx) from None
            click.echo(error.format_message())
            code = 0
        except click.exceptions.Exit as error:
            code = error.exit_code
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # click turns the former into the latter
        return closed_pipe()
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(as_json)
    except Exception as error:
        return _fail(error, as_json=as_json, debug=debug)
    return code if isinstance(code, int) else 0


def _fail(error: Exception, *, as_json: bool, debug: bool) -> int:
    if isinstance(error, click.NoSuchOption):
        _say(as_json, "usage", f"There is no option {error.option_name}.", _usage_hint(error))
        return 2
    if isinstance(error, click.UsageError):
        _say(as_json, "usage", error.format_message().strip(), _usage_hint(error))
        return 2
    if isinstance(error, click.ClickException):
        _say(as_json, "bad-input", error.format_message(), None)
        return 2
    known = error if isinstance(error, GenEmergeError) else from_system(error)
    if known is not None:
        if debug:
            _traceback(error, to_stderr=True)
        _say(as_json, known.code, known.message, known.hint)
        return known.exit_code
    place = _traceback(error, to_stderr=debug)
    _say(as_json, "unexpected", f"{type(error).__name__}: {error}", f"This is a bug; the traceback is {place}.")
    return 1


def _usage_hint(error: click.UsageError) -> str:
    if isinstance(error, UnknownCommand):
        return error.hint
    path = error.ctx.command_path if error.ctx else "gen-emerge"
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        known = [name for parameter in error.ctx.command.get_params(error.ctx) for name in parameter.opts]
        # Without the dashes, which are alike in all of them.
        near = nearest(error.option_name.lstrip("-"), [name[2:] for name in known if name.startswith("--")])
        if near.startswith("Did"):
            return near.replace('"', '"--', 1)
    return f"See: {path} --help"


def _say(as_json: bool, code: str, message: str, hint: str | None) -> None:
    """One door for errors: an object on stdout, or sentences on stderr."""
    lines = [f"{click.style('Error:', fg='red', bold=True)} {message}", *([f"       {hint}"] if hint else [])]
    if as_json:
        try:
            click.echo(json.dumps({"error": {"code": code, "message": message, "hint": hint or None}}))
            return
        except OSError:  # stdout is what failed
            pass
    with contextlib.suppress(OSError):
        click.echo("\n".join(lines), err=True, color=colours())


def _traceback(error: Exception, *, to_stderr: bool) -> str:
    import tempfile
    import traceback

    lines = "".join(traceback.format_exception(error))
    if to_stderr:
        with contextlib.suppress(OSError):
            click.echo(lines, err=True)
        return "above"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="gen-emerge-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(lines)
        return f"in {file.name}"
    except OSError:
        return "shown by --debug"


def _interrupted(as_json: bool) -> int:
    kept = "Everything committed is kept; run the command again to go on."
    if as_json:
        _say(as_json, "interrupted", "Interrupted.", kept)
    else:  # nothing went wrong: no "Error:"
        with contextlib.suppress(OSError):
            click.echo(f"\nInterrupted. {kept}", err=True)
    return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
