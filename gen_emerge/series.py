"""A series as a whole: create, run, and the door through which commands and programs come in.

Takes a studio folder, an archive folder and a series' name; gives the plain objects that `--json` prints. `Studio` is
the public Python interface.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gen_emerge import standing
from gen_emerge.config import SeriesConfig, as_table, changed_fixed, complete, fixed, load, parse
from gen_emerge.config.tables import CalibrationConfig
from gen_emerge.config.toml import shown
from gen_emerge.crew import assemble, known_names, load_banks, reference_prompts
from gen_emerge.engines.local import LocalEngine
from gen_emerge.errors import BadInput, FixedKeyChanged, HeldByAnother, OutOfBudget
from gen_emerge.live import Live
from gen_emerge.loop import run as run_loop
from gen_emerge.microbatch import MicroBatch
from gen_emerge.notices import Notices
from gen_emerge.roles import Crew
from gen_emerge.state import State, replay
from gen_emerge.store import DATABASE, Held, Store, hold, importing, read_import, sweep_imports
from gen_emerge.store.images import PictureWriter, paths_of, read_pixels, sweep, walk
from gen_emerge.store.imports import FOLDER as IMPORTS
from gen_emerge.store.imports import files_of, walk_imports
from gen_emerge.studio_folder import archive_folder, find_root, new_series_file, series_file
from gen_emerge.types import CycleRecord, Pixels, PromptBank, QuestionBank, content_hash

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

    def inspect(self, name: str, *, candidate: int | None = None) -> dict[str, Any]:
        """The map: elites with their images, axes and gates; or all that is known of one candidate."""
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
    with hold(folder) as held, closing(_open(folder, config, root)) as store:
        crew = _crew_of(store, first, config, root, folder)
        _note_settings(store, config, crew)
        opened = _Opened(store=store, state=replay(store.history()), crew=crew, folder=folder, config=config)
        target = noted = cycles if cycles is not None else config.loop.cycles
        if goal is not None:
            target, noted = goal(store, opened.state), standing.noted_cycles(folder, config)
        ending = _over(opened, target, noted)
        if ending is None:
            _go_on(opened, held, target, noted, stop=stop, progress=progress, say=say)
        else:
            standing.note_run(folder, ending, noted)
        return standing.status(root, archive, name, held=False)


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
    if (folder / DATABASE).exists() and not _check_unchanged(folder, config, root):
        return None
    _refuse_orphans(folder)
    return _crew(config, root, folder, _first_references(config, root))


def _crew_of(store: Store, first: Crew | None, config: SeriesConfig, root: Path, folder: Path) -> Crew:
    """The crew that measures with the series' own reference prompts: `first`, where those are the ones it has."""
    references: list[str] = store.facts["reference_prompts"]
    if first is not None and references == _first_references(config, root):
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
    *,
    stop: Callable[[], bool] | None,
    progress: Progress | None,
    say: Callable[[str], None] | None,
) -> None:
    """Run to `target`, and note how it ended, whatever ends it."""
    store, state, folder = opened.store, opened.state, opened.folder
    _sweep(store, folder)
    standing.note_run(folder, "running", noted)
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
    except (KeyboardInterrupt, OutOfBudget):
        ending = "stopped"
        raise
    finally:
        standing.note_run(folder, ending, noted)


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
            load=lambda image: read_pixels(folder / image.path),
            paint=engine.paint,
            cache=folder / "cache",
        )
        closed.callback(live.sitting.close)
        run_loop(live, engine, cycles=target, tell=tell, stop=stop)


def begun(root: Path, archive: Path, name: str) -> tuple[SeriesConfig, bool]:
    """The file of a series that something is to be added to, and whether its database is there; changes nothing.

    Raises:
        BadInput: the file is wrong, does not fit the series, or its database is lost.
    """
    config, folder = load(series_file(root, name), known=known_names()), archive / name
    there = (folder / DATABASE).exists() and not _check_unchanged(folder, config, root)
    if not there:
        _refuse_orphans(folder)
    return config, there


def create(root: Path, archive: Path, config: SeriesConfig) -> None:
    """Make the database of a series that is not `begun`.

    Raises:
        HeldByAnother: another process is about to run it.
    """
    folder = archive / config.name
    with hold(folder):
        _open(folder, config, root).close()


def _first_references(config: SeriesConfig, root: Path) -> list[str]:
    """The reference prompts a new series stores."""
    return reference_prompts(load_banks(config, root)[0], config.seed)


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


def _refuse_orphans(folder: Path) -> None:
    """Pictures without a database are somebody's lost series: a new one would sweep them away."""
    files = [path for path, _ in (*walk(folder), *walk_imports(folder))]
    pictures = [path for path in files if path.suffix == ".png" and ".original." not in path.name]
    if not (folder / DATABASE).exists() and (count := len(pictures)):
        raise BadInput(
            f"{folder} holds {count} pictures but no {DATABASE}, which says what they are.",
            hint="Restore it from a copy, or move the folder away to begin anew. The PNGs carry their recipes.",
        )


def _open(folder: Path, config: SeriesConfig, root: Path) -> Store:
    if (folder / DATABASE).exists():
        store = Store.open(folder)
        store.check_kinds()
        if store.committed() or changed_fixed(store.facts["fixed"], fixed(config)) is None:
            return store
        # Nothing was ever derived or answered, so nothing is lost by beginning anew with the file as it is now.
        store.close()
        sweep(folder, ())
        for path in sorted(folder.glob(f"{DATABASE}*"), reverse=True):  # the database itself last
            path.unlink()
    facts = {
        "fixed": fixed(config),
        "takes": config.loop.best_of,
        "reference_prompts": _first_references(config, root),
    }
    return Store.create(folder, facts)


def _settings(config: SeriesConfig, prompts: PromptBank, questions: QuestionBank) -> dict[str, Any]:
    """What a change of settings is recognised by: the file without its name, length and pace, and the banks' contents.

    Tables that this version brought are left out while they say nothing new: going on with a series of an earlier
    version is no change.
    """
    table = {key: value for key, value in as_table(config).items() if key != "name"}
    table["loop"] = {key: value for key, value in table["loop"].items() if key not in ("cycles", "best_of")}
    table["critic"] = {key: value for key, value in table["critic"].items() if key != "concurrency"}
    if config.loop.best_of == 1:
        del table["selector"]
    if not config.detectors.use:
        del table["detectors"]
    if config.calibration == CalibrationConfig():
        del table["calibration"]
    banks = {config.prompts.bank: prompts.hash, config.critic.bank: questions.hash}
    return {"settings": table, "banks": banks}


def _check_unchanged(folder: Path, config: SeriesConfig, root: Path) -> bool:
    """Refuse what may not change once a series has cycles, before the series is touched.

    Returns:
        True when a fixed key changed before anything was derived or answered: the series then begins anew.
    """
    with closing(Store.open(folder, readonly=True)) as store:
        path = changed_fixed(store.facts["fixed"], fixed(config))
        begun = store.committed() > 0 or any(item.kind != "config" for item in store.inputs(0, store.attempted() + 2))
        if path is not None and not begun:
            return True
        if path is not None:
            old, new = complete(store.facts["fixed"]).get(path), fixed(config).get(path)
            raise FixedKeyChanged(
                f"{path} was {shown(old)} when the series began and is {shown(new)} now; it is fixed once a series has "
                "cycles.",
                hint=f"Write {path} = {shown(old)} again, or begin another series with `gen-emerge new`.",
            )
        now = _settings(config, *load_banks(config, root))["banks"]
        for used in store.inputs_of("config"):
            for bank, content in used.payload["banks"].items():
                if now.get(bank, content) != content:
                    raise BadInput(
                        f"{bank} was edited after this series used it; a bank that was used never changes.",
                        hint="Restore it, save the new words under another name, and name that in the series file.",
                    )
    return False


def _note_settings(store: Store, config: SeriesConfig, crew: Crew) -> None:
    """Write changed settings to `inputs`: they take effect at the next cycle boundary, for ever from there."""
    payload = {**_settings(config, crew.prompts, crew.questions), "versions": crew.versions}
    known = store.inputs_of("config")
    if not known or content_hash(dict(known[-1].payload)) != content_hash(payload):
        store.add_input("config", payload, first_cycle=store.committed() + 1)


def _sweep(store: Store, folder: Path) -> None:
    """Delete files that were written and never committed: they are rendered again, the same.

    Those of waiting proposals too: another image size or generator makes other genomes of them.
    """
    sweep(folder, {Path(image.path).stem for _, image in store.images()})
    if (folder / IMPORTS).is_dir():
        with suppress(HeldByAnother), importing(folder, tries=1):  # an import that is under way sweeps for itself
            sweep_imports(folder, {path for each in store.inputs_of("import") for path in files_of(each.payload)})
