"""`gen-emerge judge`: answers, from the terminal or from a file."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gen_emerge.cli.app import INTERRUPTED, PATH, App, json_option, plain_text
from gen_emerge.errors import BadInput, Damaged, NotFound, nearest, system_limit

if TYPE_CHECKING:
    from gen_emerge.cli.judging import Tally
    from gen_emerge.preference.answers import Entry
    from gen_emerge.store import Store
    from gen_emerge.types import Input, Question

_MOST_BYTES, _MOST_IN_A_LINE = 64_000_000, 1_000_000
"""Of a file of answers: more than a person gives in years; and what never ends is noticed."""


@click.command("judge")
@click.argument("series")
@click.option("--answers", type=PATH, metavar="FILE", help="Lines of JSON; - for stdin.")
@click.option("--rater", metavar="NAME", help="Who answers.  [your login name]")
@json_option
@click.pass_obj
def command(app: App, series: str, answers: Path | None, rater: str | None) -> None:
    """Answer the open questions of a series: which of two is better, how four rank, whether to keep one.

    In the terminal it is one key an answer, a letter or an arrow; "?" lists the keys, and a capital letter says that
    you are not sure. Pictures are shown where the terminal can. Every answer is kept at once, so that you may leave at
    any moment, and takes effect at the series' next cycle.

    With --answers, a file of one JSON object a line; one bad line refuses the whole file:

    \b
        {"question": "r25-1", "answer": "left", "seconds": 2.5}
        {"question": "r25-4", "answer": "keep"}
        {"question": "r25a-1", "order": ["b", "a", "d", "c"]}
        {"undo": "r25-1"}
        {"favourite": 41, "level": "breakthrough"}

    A pair takes left, right, tie or skip; a single picture keep, discard, unsure or skip; a triplet a, b, unsure or
    skip. A ranking takes an order, the best first, or the answer skip. "confidence" (sure or unsure) and "seconds" may
    be left out. Any image can be marked as a favourite: "interesting", "breakthrough" (one a series; "move": true moves
    it), or null to take the mark away.

    \b
    Example:
        gen-emerge judge first-light
        gen-emerge judge first-light --answers round.jsonl
    """  # noqa: D301
    from gen_emerge.cli.series_folder import series_folder
    from gen_emerge.store import Store

    name = plain_text((rater if rater is not None else _login()).strip(), "The rater", longest=64, printable=True)
    if not name:
        raise BadInput("The rater has no name.", hint="Give one, such as --rater anna")
    folder, brief = series_folder(app, series)
    if answers is None and (app.json or not sys.stdin.isatty()):
        raise BadInput("There is no terminal to ask in.", hint="Give the answers: --answers FILE --rater NAME")
    lines = None if answers is None else _lines(answers)
    with Store.open(folder) as store:
        if lines is not None:
            _from_lines(app, store, series, lines, name, answers or Path())
        else:
            _from_keys(app, store, series, name, brief)


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "me"


def _lines(path: Path) -> list[str]:
    if path.is_dir():
        raise BadInput(f"{path} is a folder: wanted a file of answers.", hint=_nearest_in(path, path.name))
    if path.is_char_device() or path.is_block_device():
        raise BadInput(f"{path} is a device: wanted a file of answers.", hint="Name a file, or - for stdin.")
    try:
        content = _at_most(path)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"There is no file {path}.", hint=_nearest_in(path.parent, path.name)) from None
    try:
        return content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}: line {line} is not text in UTF-8.", hint="Save it as UTF-8.") from None


def _at_most(path: Path) -> bytes:
    """What a file, a pipe or stdin holds; refused where it would not end, or no person can have said so much."""
    with nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise BadInput(
            f"{path} holds more than {_MOST_BYTES // 1_000_000} MB: wanted a file of answers.",
            hint="Name a file of answers, one JSON object a line; a very long one in parts.",
        )
    for number, line in enumerate(content.split(b"\n"), start=1):
        if len(line) > _MOST_IN_A_LINE:
            raise BadInput(
                f"{path}: line {number} has {len(line):,} bytes, wanted at most {_MOST_IN_A_LINE:,}.",
                hint="One answer a line, each a JSON object.",
            )
    return content


def _nearest_in(folder: Path, name: str) -> str:
    there = sorted(p.name for p in folder.glob("*.jsonl")) if folder.is_dir() else []
    return nearest(name, there) or "Name a file of answers, one JSON object a line, or - for stdin."


def _refuse_idle_undo(
    store: Store, lines: Sequence[str], entries: Sequence[tuple[str, dict[str, Any]]], rater: str
) -> None:
    """An undo takes back an answer of this rater: where none stands, the file is refused."""
    standing: Counter[str] = Counter()

    def counted(question: str, *, undo: bool) -> bool:
        if undo and not standing[question]:
            return False
        standing[question] += -1 if undo else 1
        return True

    stored = [*store.inputs_of("answer"), *store.inputs_of("undo")]
    for given in sorted(stored, key=lambda each: each.id):
        if given.payload.get("rater") in (None, rater):
            counted(str(given.payload["question"]), undo=given.kind == "undo")
    for number, (kind, payload) in zip(_numbers(lines), entries, strict=True):
        if kind != "favourite" and not counted(payload["question"], undo=kind == "undo"):
            raise BadInput(
                f'Line {number}: {rater} has no answer to "{payload["question"]}" to take back.',
                hint="Leave that line out, or give the name of the one who answered: --rater NAME",
            )


def _numbers(lines: Sequence[str]) -> list[int]:
    """The numbers of the lines that are not blank."""
    return [number for number, line in enumerate(lines, start=1) if line.strip()]


def _refuse_favourites(store: Store, lines: Sequence[str], parsed: Sequence[Entry], known: Sequence[Input]) -> None:
    """A mark is of an image there is; the one breakthrough moves only where that is said."""
    from gen_emerge.favourites import breakthrough, favourites, mark
    from gen_emerge.types import Favourite

    found = favourites(known)
    given = [(n, each) for n, each in zip(_numbers(lines), parsed, strict=True) if isinstance(each, Favourite)]
    ids = sorted({each.candidate for _, each in given})
    pictures = {c.id: c.image for c in store.candidates(ids)} if ids else {}
    for number, each in given:
        if each.candidate not in pictures:
            hint = "Ids stand in what `inspect --json` and `rounds --json` print."
            raise BadInput(f"Line {number}: there is no candidate {each.candidate}.", hint=hint)
        if pictures[each.candidate] is None:
            raise BadInput(f"Line {number}: candidate {each.candidate} has no picture.", hint="Leave that line out.")
        held = breakthrough(found)
        if each.level == "breakthrough" and held is not None and held.candidate != each.candidate and not each.move:
            raise BadInput(
                f"Line {number}: candidate {held.candidate} is the breakthrough of this series, and there is at most "
                f"one.",
                hint=f'To move it, add "move": true; or take it back first: {{"favourite": {held.candidate}, '
                f'"level": null}}',
            )
        mark(found, each)


def _stored(store: Store, lines: Sequence[str], parsed: Sequence[Entry], rater: str) -> list[str]:
    """Check what only the store knows, and store all lines or none; gives their kinds."""
    from gen_emerge.cli.judging import as_input
    from gen_emerge.favourites import KIND

    entries = [as_input(entry) for entry in parsed]
    _refuse_idle_undo(store, lines, entries, rater)
    kinds = [kind for kind, _ in entries]
    if KIND not in kinds:
        store.add_inputs(entries)
        return kinds
    while True:
        known = store.inputs_of(KIND)
        _refuse_favourites(store, lines, parsed, known)
        if store.add_inputs(entries, unless=(KIND, known[-1].id if known else 0)):
            return kinds
        # Somebody else marked an image at this moment: it is looked at anew what may be marked.


def _from_lines(app: App, store: Store, series: str, lines: Sequence[str], rater: str, file: Path) -> None:
    from gen_emerge.cli.text import questions_open
    from gen_emerge.preference.answers import parse_answers
    from gen_emerge.standing import open_questions, open_rounds

    questions = {question.id: question for asked in store.rounds() for question in asked.questions}
    try:
        parsed = parse_answers(lines, questions, rater=rater)
    except BadInput as error:
        hint = error.hint or f"Correct that line of {file}; nothing was stored."
        raise BadInput(error.message, hint=hint) from None
    kinds = _stored(store, lines, parsed, rater)
    result: dict[str, Any] = {
        "series": series,
        "rater": rater,
        "answers": kinds.count("answer"),
        "undone": kinds.count("undo"),
        "favourites": kinds.count("favourite"),
        "open_rounds": len(open_rounds(store)),
        "open_questions": len(open_questions(store)),
    }
    answers = "1 answer" if result["answers"] == 1 else f"{result['answers']} answers"
    rest = questions_open(result["open_questions"])
    marked = f", {result['favourites']} marked" if result["favourites"] else ""
    app.give(result, f"{answers} by {rater}, {result['undone']} taken back{marked}; {rest}.")


def _from_keys(app: App, store: Store, series: str, rater: str, brief: str) -> None:
    from gen_emerge.cli.inline import only_named
    from gen_emerge.cli.text import nothing_open, questions_open
    from gen_emerge.standing import open_questions, unasked
    from gen_emerge.state import replay

    questions = open_questions(store)
    if not questions:
        app.note(nothing_open(series, unasked(store, replay(store.history()))))
        return
    app.note(f"{series}: {questions_open(len(questions))}. You answer as {rater}.")
    with tempfile.TemporaryDirectory(prefix="gen-emerge-judge-") as drawer:
        place = Path(drawer) / f"{series}.png"
        if only_named(os.environ, terminal=sys.stdout.isatty()):
            app.note(
                f"This terminal shows no pictures. Open {place} beside it, in a viewer that follows changes: every "
                "question is drawn into that file, which is gone when you leave."
            )
        _sit(app, store, series, questions, rater, brief, place)


def _sit(
    app: App, store: Store, series: str, questions: Sequence[Question], rater: str, brief: str, place: Path
) -> None:
    """Ask until all is answered, or the rater leaves."""
    from gen_emerge.cli.judging import Sitting
    from gen_emerge.cli.rounds import pictures_of, takes_among

    by_id = {question.id: question for question in questions}
    sitting = Sitting(
        store,
        questions,
        pictures_of(store, questions),
        rater=rater,
        key=_key,
        say=lambda text: click.echo(text),
        show=lambda question, pictures: _shown(store, series, by_id[question], pictures, place),
        brief=brief,
        takes=takes_among(store, questions),
        columns=shutil.get_terminal_size().columns,
    )
    try:
        sitting.run()
    except KeyboardInterrupt:
        app.note(f"\nInterrupted. {_kept(sitting.tally)} To go on: gen-emerge judge {series}")
        raise click.exceptions.Exit(INTERRUPTED) from None
    click.echo(f"\n{_kept(sitting.tally)}")


def _shown(store: Store, series: str, question: Question, pictures: Sequence[Path], place: Path) -> str:
    from gen_emerge.cli.inline import show
    from gen_emerge.cli.screens import BROAD, screen

    try:
        sheet = screen(question, [store.folder / picture for picture in pictures])
    except OSError as error:
        if limit := system_limit(error):
            raise limit from None
        raise Damaged(f"A stored picture cannot be read: {error}.", hint=f"gen-emerge verify {series}") from None
    most = 80 if len(pictures) < BROAD else 160
    return show(sheet, place, columns=min(shutil.get_terminal_size().columns, most))


def _key() -> str:
    """What the terminal sends; "" at its end."""
    try:
        return click.getchar()
    except EOFError:
        return ""


def _kept(tally: Tally) -> str:
    """What a sitting came to."""
    from gen_emerge.cli.text import questions_open

    rest = questions_open(tally.left)
    if not tally.answered:
        return f"Nothing was answered, {rest}."
    kept = "1 answer is" if tally.answered == 1 else f"{tally.answered} answers are"
    return f"{kept} kept, {rest}. They count from the next cycle that is run."
