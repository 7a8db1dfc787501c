"""A series as a whole: create, run, and the door through which commands and programs come in.

Takes a studio folder, an archive folder and a series' name; gives the plain objects that `--json` prints. `Studio` is
the public Python interface.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gen_emerge import standing
from gen_emerge.config import SeriesConfig, load, parse
from gen_emerge.crew import assemble, known_names
from gen_emerge.engines.local import LocalEngine
from gen_emerge.errors import BadInput, HeldByAnother, OutOfBudget
from gen_emerge.live import Live
from gen_emerge.loop import run as run_loop
from gen_emerge.microbatch import MicroBatch
from gen_emerge.notices import Notices
from gen_emerge.opening import (
    check_unchanged,
    check_words,
    first_references,
    note_settings,
    open_series,
    refuse_orphans,
)
from gen_emerge.roles import Crew
from gen_emerge.state import State, replay
from gen_emerge.store import DATABASE, Held, Store, hold, importing, read_import, sweep_imports
from gen_emerge.store.images import PictureWriter, paths_of, read_pixels, read_stored, sweep
from gen_emerge.store.imports import FOLDER as IMPORTS
from gen_emerge.store.imports import files_of
from gen_emerge.studio_folder import archive_folder, find_root, new_series_file, series_file
from gen_emerge.types import CycleRecord, Pixels

Progress = Callable[[Mapping[str, Any]], None]
Goal = Callable[[Store, State], int]
"""The committed history -> how many cycles are wanted in all."""

__all__ = ["Studio", "run", "status"]

status = standing.status


class Studio:
    """A studio folder: the folder with `prompts/`, `experiments/` and (by default) `archive/`.

    Args:
        root: the folder; None looks upwards from the working directory.
        archive: where series live; None for `root/archive`.

    Example:
        >>> studio = Studio("my-studio")  # doctest: +SKIP
        >>> studio.run("first-light", cycles=20)["cells_filled"]  # doctest: +SKIP
    """

    def __init__(self, root: str | Path | None = None, archive: str | Path | None = None) -> None:
        self.root = find_root(Path(root) if root is not None else None)
        self.archive = archive_folder(self.root, Path(archive) if archive is not None else None)

    def new(
        self, name: str, *, profile: str = "embedded", brief: str | None = None, **tables: Mapping[str, Any]
    ) -> Path:
        """Write a series file and give its path.

        Args:
            name: [a-z0-9][a-z0-9-]{0,63}.
            profile: "embedded" or "diffusion".
            brief: what the series is for; None takes the default.
            tables: any table of the file, such as `image={"width": 256, "height": 256}`; `seed=7` likewise.
        """
        from gen_emerge.config import write_series

        table: dict[str, Any] = {"schema": 1, "name": name, "profile": profile, **tables}
        if brief is not None:
            table["brief"] = brief
        config = parse(table, known=known_names())
        return new_series_file(self.root, name, write_series(config))

    def run(
        self,
        name: str,
        *,
        cycles: int | None = None,
        stop: Callable[[], bool] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Run a series until it has `cycles` cycles in all; gives `status`'s object. See `run`."""
        return run(self.root, self.archive, name, cycles=cycles, stop=stop, progress=progress)

    def import_pictures(
        self, name: str, folder: str | Path, *, prompt: str | None = None, queue: bool = False
    ) -> dict[str, Any]:
        """Bring a folder of pictures into a series; gives what became of each. See `intake.bring_in`."""
        from gen_emerge.intake import bring_in

        return bring_in(self.root, self.archive, name, Path(folder), prompt=prompt, queue=queue)

    def status(self, name: str) -> dict[str, Any]:
        """How a series stands."""
        return standing.status(self.root, self.archive, name)

    def imports(self, name: str) -> dict[str, Any]:
        """What became of every picture imported so far, and why. See `arrivals.list_imports`."""
        from gen_emerge.arrivals import list_imports

        return list_imports(self.root, self.archive, name)

    def inspect(self, name: str, *, candidate: int | str | Path | None = None) -> dict[str, Any]:
        """The map: elites with their images, axes and gates; or all that is known of one candidate.

        Args:
            name: the series.
            candidate: an id, the first 6 digits or more of a genome's or picture's hash, or a picture's file.
        """
        from gen_emerge import account, inspection

        if candidate is not None:
            return account.inspect_candidate(self.root, self.archive, name, candidate)
        return inspection.inspect(self.root, self.archive, name)


def run(
    root: Path,
    archive: Path,
    name: str,
    *,
    cycles: int | None = None,
    stop: Callable[[], bool] | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    goal: Goal | None = None,
) -> dict[str, Any]:
    """Create the series if it is new, bring it to `cycles` committed cycles, and give `status`'s object.

    Args:
        root: the studio folder.
        archive: the folder of all series.
        name: the series.
        cycles: the total; None takes the file's `loop.cycles`. Running again continues, or does nothing.
        stop: asked after every commit; True ends the run cleanly.
        progress: given the cheap figures of `status` after every commit.
        say: given what should be told once: a licence that forbids something, a prompt that was cut, a batch that was
            made smaller.
        goal: gives the total instead of `cycles`, for a few cycles between two runs: how far the last one was to go,
            and whether it got there, stays noted.

    Raises:
        HeldByAnother: another living process runs it.
        BadInput: the series file, a bank or a fixed key is wrong; nothing was changed.
        DiskFull: everything committed is still there.
    """
    if cycles is not None and cycles < 1:
        raise BadInput(f"cycles is {cycles}; at least 1 is wanted.", hint="It is the total, not how many more.")
    config = load(series_file(root, name), known=known_names())
    folder = archive / name
    first = _first_crew(config, root, folder)
    noted = cycles if cycles is not None else config.loop.cycles
    if goal is not None:
        noted = standing.noted_cycles(folder, config)
    with hold(folder) as held, closing(open_series(folder, config, root)) as store, _pausing(folder, noted):
        crew = _crew_of(store, first, config, root, folder)
        check_words(store, crew.prompts, name)
        note_settings(store, config, crew)
        opened = _Opened(store=store, state=replay(store.history()), crew=crew, folder=folder, config=config)
        target, imports = noted, None
        if goal is not None:
            target, imports = goal(store, opened.state), standing.noted_imports(folder)
        ending = _over(opened, target, noted)
        if ending is None:
            _go_on(opened, held, target, noted, imports, stop=stop, progress=progress, say=say)
        else:
            standing.note_run(folder, ending, noted, imports or 0)
        return standing.status_of(config, folder, store, opened.state, held=False)


@contextmanager
def _pausing(folder: Path, noted: int) -> Generator[None, None, None]:
    """A run that has no room, or no budget, to begin with pauses like one that runs out of it on its way."""
    try:
        yield
    except OutOfBudget:
        standing.note_run(folder, "paused", noted, standing.noted_imports(folder))
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A series that this process holds: its store, the state replayed from it, and who works on it."""

    store: Store
    state: State
    crew: Crew
    folder: Path
    config: SeriesConfig


def _first_crew(config: SeriesConfig, root: Path, folder: Path) -> Crew | None:
    """The crew of a series that is about to begin: whatever is missing is said before anything is made.

    Returns:
        None where the series has begun: which reference prompts it stored is known once it is open.
    """
    if (folder / DATABASE).exists() and not check_unchanged(folder, config, root):
        return None
    refuse_orphans(folder)
    return _crew(config, root, folder, first_references(config, root))


def _crew_of(store: Store, first: Crew | None, config: SeriesConfig, root: Path, folder: Path) -> Crew:
    """The crew that measures with the series' own reference prompts: `first`, where those are the ones it has."""
    references: list[str] = store.facts["reference_prompts"]
    if first is not None and references == first_references(config, root):
        return first
    return _crew(config, root, folder, references)


def _over(opened: _Opened, target: int, noted: int) -> str | None:
    """The state of a series for which nothing is to be done now; None where there is."""
    if standing.waits(opened.store, wait=opened.config.loop.on_checkin == "wait"):
        return "waiting"
    if opened.state.cycle >= target:
        return standing.ending(opened.store, opened.state.cycle, noted, wait=False)
    return None


def _go_on(
    opened: _Opened,
    held: Held,
    target: int,
    noted: int,
    imports: int | None,
    *,
    stop: Callable[[], bool] | None,
    progress: Progress | None,
    say: Callable[[str], None] | None,
) -> None:
    """Run to `target`, and note how it ended, whatever ends it.

    `imports`: cycles that were run for imported pictures before, where these are too; else None.
    """
    store, state, folder = opened.store, opened.state, opened.folder
    _sweep(store, folder)
    standing.note_run(folder, "running", noted, imports or 0)
    asked_for = max(state.cycle, noted)
    ending = "failed"
    try:
        notices = Notices(opened.crew, say)

        def tell(record: CycleRecord) -> None:
            held.beat()
            notices.look()
            if progress is not None:
                progress(standing.progress(state, record, target))

        _drive(opened, target, tell, stop or (lambda: False))
        ending = standing.ending(store, state.cycle, noted, wait=opened.config.loop.on_checkin == "wait")
    except KeyboardInterrupt:
        ending = "stopped"
        raise
    except OutOfBudget:
        ending = "paused"
        raise
    finally:
        more = 0 if imports is None else imports + max(0, state.cycle - asked_for)
        standing.note_run(folder, ending, noted, more)


def _drive(opened: _Opened, target: int, tell: Callable[[CycleRecord], None], stop: Callable[[], bool]) -> None:
    """The loop, with what it needs open around it."""
    crew, store, folder = opened.crew, opened.store, opened.folder
    with ExitStack() as closed:
        writer = closed.enter_context(PictureWriter(folder, series=opened.config.name))
        engine = LocalEngine(
            crew.generator,
            writer.write,
            max_attempts=crew.rhythm.max_attempts,
            imports=crew.imports,
            during=MicroBatch(crew.generator, store).during,
        )
        closed.callback(engine.close)
        live = Live(
            crew,
            store,
            opened.state,
            load=lambda image: read_stored(folder, image),
            paint=engine.paint,
            cache=folder / "cache",
        )
        closed.callback(live.sitting.close)
        run_loop(live, engine, cycles=target, tell=tell, stop=stop)


def _crew(config: SeriesConfig, root: Path, folder: Path, references: list[str]) -> Crew:
    return assemble(
        config,
        root=root,
        references=references,
        picture=_pictures(config, folder),
        imported=lambda pixels: read_import(folder, pixels),
        folder=folder,
    )


def _pictures(config: SeriesConfig, folder: Path) -> Callable[[str], Pixels] | None:
    """Genome hash -> stored pixels, for a generator that may begin from one of the series' pictures."""
    if config.generator.use == "painter":
        return None
    return lambda genome: read_pixels(folder / paths_of(genome)[0])


def _sweep(store: Store, folder: Path) -> None:
    """Delete files that were written and never committed: they are rendered again, the same.

    Those of waiting proposals too: another image size or generator makes other genomes of them.
    """
    sweep(folder, {Path(image.path).stem for _, image in store.images()})
    if (folder / IMPORTS).is_dir():
        with suppress(HeldByAnother), importing(folder, tries=1):  # an import that is under way sweeps for itself
            sweep_imports(folder, {path for each in store.inputs_of("import") for path in files_of(each.payload)})
