"""Config -> implementations: the only place that looks up which generator, scorers and critic do the work.

Takes a checked `SeriesConfig`, the banks it names and the facts of the series; gives a `Crew`. Other distributions may
offer generators under the entry point group `gen_emerge.generators` (a callable of the `[generator]` table's options),
and detectors under `gen_emerge.detectors` (see `scorers/defects`).
Everything heavy is imported here, when a series is opened, and not before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from gen_emerge.banks import check_words, load_prompts
from gen_emerge.calibration.alarms import Alarms
from gen_emerge.calibration.costs import Costs, Learning
from gen_emerge.calibration.first import GateSetting
from gen_emerge.chance import draw
from gen_emerge.config import KNOWN, Known, SeriesConfig, why_not
from gen_emerge.config.implementations import DISTANCES, PERSONAL
from gen_emerge.config.tables import NoveltyGateConfig
from gen_emerge.emitters import all_emitters
from gen_emerge.errors import BadConfig, BadInput, MissingExtra, nearest
from gen_emerge.fates import SELECTOR
from gen_emerge.filters import NAMES, Rule
from gen_emerge.preference.axes import Learn
from gen_emerge.preference.takes import Selector
from gen_emerge.probing import probe
from gen_emerge.protocols import Critic, Detector, Generator, Scorer
from gen_emerge.roles import Crew, RewardSetting, Rhythm
from gen_emerge.types import GATES, Gate, Pixels, PromptBank, QuestionBank
from gen_emerge.types.genomes import IMPORT

GENERATORS = "gen_emerge.generators"
"""Entry point group: name -> callable(options: Mapping) -> Generator."""
REFERENCES = 32
"""Reference prompts whose mean cosine the prompt gate subtracts."""
SCALES: Mapping[str, tuple[float, float]] = {"nima": (1.0, 10.0), "clip": (-2.0, 2.0)}
"""Scorer -> the natural limits of its gate's signal: a mean rating; a difference of two cosines."""
Picture = Callable[[str], Pixels]
"""Hash of a genome, or of pixels -> (h, w, 3) uint8 of a stored picture."""


def known_names() -> Known:
    """The names a series file may use, other distributions' generators and detectors included."""
    from gen_emerge.scorers import defects

    offered = {point.name: None for point in entry_points(group=GENERATORS)}
    return replace(KNOWN, generators={**KNOWN.generators, **offered}, detectors=frozenset(defects.names()))


def load_banks(config: SeriesConfig, root: Path) -> tuple[PromptBank, QuestionBank]:
    """The vocabulary and the question bank a series names.

    Raises:
        NotFound: one of them does not exist; the nearest is named.
        BadInput: one of them is wrong.
    """
    from gen_emerge.critics import load_bank

    prompts = load_prompts(_file(root, config.prompts.bank, "prompts.bank"))
    if config.generator.use == "painter":
        from gen_emerge.generators.painter import SLOTS

        check_words(prompts, SLOTS, generator="painter")
    return prompts, load_bank(_file(root, config.critic.bank, "critic.bank"))


def _file(root: Path, bank: str, key: str) -> Path:
    """The file of a bank; links are followed. Anything else, such as a pipe, would be waited for."""
    path = root / bank
    if path.exists() and not path.is_file() and not path.is_dir():
        raise BadInput(f'{key} = "{bank}" is no ordinary file.', hint="Write the bank into a file in prompts/.")
    return path


def reference_prompts(bank: PromptBank, seed: int) -> list[str]:
    """The reference prompts of a series: drawn once, when it is created, and stored."""
    prompts: list[str] = []
    for number in range(REFERENCES):
        rng = draw(seed, 0, number, "reference")
        prompts.append(bank.prompt({s: words[int(rng.integers(len(words)))] for s, words in bank.slots.items()}))
    return prompts


def assemble(
    config: SeriesConfig,
    *,
    root: Path,
    references: Sequence[str],
    picture: Picture | None = None,
    imported: Picture | None = None,
    folder: Path | None = None,
) -> Crew:
    """Choose who does the work of one series.

    Args:
        config: the series file.
        root: the studio folder.
        references: the stored reference prompts.
        picture: genome hash -> the stored picture's pixels, for generators that begin from one.
        imported: hash of pixels -> the pixels of an imported picture.
        folder: the series' folder, where a probing process finds those pictures.

    Raises:
        MissingExtra: something needs a library that is not installed.
        MissingModel: weights are not on this disk: all that are missing, and the command that fetches them.
        BadInput: a name, a bank or an option is wrong.
    """
    from gen_emerge.equip import resolved
    from gen_emerge.generators.imported import Imported
    from gen_emerge.needs import preflight
    from gen_emerge.scorers.measures import PixelMeasures

    prompts, questions = load_banks(config, root)
    preflight(config, root)
    config = resolved(config, root)
    generator = load_generator(config, picture=picture) if picture else load_generator(config)
    scorers, measures = load_scorers(config, references), PixelMeasures()
    return Crew(
        rhythm=rhythm_of(config),
        brief=config.brief,
        generator=generator,
        measures=measures,
        scorers=scorers,
        limits=limits_of(config),
        rules=tuple(
            Rule(signal=rule.signal, below=rule.below, above=rule.above, name=rule.label)
            for rule in config.filters.rules
        ),
        gates=gate_settings(config),
        prompts=prompts,
        emitters=all_emitters(getattr(generator, "abilities", frozenset[str]())),
        critic=load_critic(config),
        questions=questions,
        probe=lambda genomes: probe(genomes, config, root, references, folder),
        concurrency=config.critic.concurrency,
        detectors=load_detectors(config, signals=[name for each in (measures, *scorers) for name in each.versions]),
        selector=load_selector(config, (measures, *scorers)),
        imports=Imported(imported) if imported else None,
        learning=learning_of(config),
        alarms=alarms_of(config),
        axes=learn_of(config),
        tilt=config.compass.tilt,
        reward=RewardSetting(use=config.reward.use, sure=config.reward.sure),
    )


def limits_of(config: SeriesConfig) -> dict[str, tuple[float, float]]:
    """The natural limits of every signal that has some: no axis of the map reaches beyond them."""
    from gen_emerge.scorers.measures import LIMITS

    limits = {**LIMITS, "style": (0.0, 1.0)}
    for gate in GATES:
        if config.scorers.of(gate).use in SCALES:
            limits[gate] = SCALES[config.scorers.of(gate).use]
    return limits


def rhythm_of(config: SeriesConfig) -> Rhythm:
    """The numbers of the loop."""
    loop, archive = config.loop, config.archive
    return Rhythm(
        seed=config.seed,
        batch=loop.batch,
        warmup_cycles=loop.warmup_cycles,
        pipeline_depth=loop.pipeline_depth,
        max_attempts=loop.max_attempts,
        checkin_every=loop.checkin_every,
        wait_at_checkin=loop.on_checkin == "wait",
        checkin_screens=loop.checkin_screens,
        width=config.image.width,
        height=config.image.height,
        archive_kind=archive.kind,
        axes=archive.axes,
        dims=archive.dims,
        cells=archive.cells,
        best_of=loop.best_of,
    )


def gate_settings(config: SeriesConfig) -> dict[str, GateSetting]:
    """What the series file says of each gate."""
    settings: dict[str, GateSetting] = {}
    for gate in GATES:
        table = config.gates.of(gate)
        duplicate = table.duplicate if isinstance(table, NoveltyGateConfig) else "auto"
        settings[gate] = GateSetting(lower=table.lower, upper=table.upper, review=table.review, duplicate=duplicate)
    return settings


def learning_of(config: SeriesConfig) -> Learning:
    """What the series file says of learning from judgements."""
    table = config.calibration
    costs = Costs(false_accept=table.false_accept, false_reject=table.false_reject, review=table.review)
    return Learning(
        costs=costs, half_life=table.half_life, auto=table.auto, cap=table.cap, most_review=table.most_review
    )


def alarms_of(config: SeriesConfig) -> Alarms:
    """What the series file says of alarms."""
    return Alarms(**config.alarms.model_dump())


def learn_of(config: SeriesConfig) -> Learn:
    """What the series file says of learned axes."""
    return Learn(source=config.axes.learn, every=config.axes.refit_every)


def load_generator(config: SeriesConfig, picture: Picture | None = None) -> Generator:
    """The generator of `[generator] use`.

    Args:
        config: with the paths of its models in (`equip.resolved`).
        picture: genome hash -> pixels.

    Raises:
        BadInput: another package's generator bears the name of pictures made elsewhere.
        MissingExtra: it needs libraries that are not installed.
        MissingModel: its checkpoint is not on this disk.
    """
    use = config.generator.use
    if use == "painter":
        from gen_emerge.generators.painter.generator import Painter

        return Painter()
    if use == "diffusion":
        _stay_offline()
        from gen_emerge.generators.diffusion import Diffusion

        return Diffusion(config.generator.options, picture=picture)
    for point in entry_points(group=GENERATORS):
        if point.name == use:
            make = cast(Callable[[Mapping[str, Any]], Generator], point.load())
            made = make(config.generator.options)
            if made.name == IMPORT:
                raise BadInput(
                    f'The generator "{use}" calls itself "{IMPORT}", which pictures made elsewhere are known by.',
                    hint="Its package must give it another name.",
                )
            return made
    raise MissingExtra(
        f'The generator "{use}" is not part of this version.', hint='Write use = "painter" under [generator].'
    )


def load_scorers(
    config: SeriesConfig, references: Sequence[str], *, gates: Sequence[Gate] = GATES
) -> tuple[Scorer, ...]:
    """The scorers of the four gates and of `[scorers.extra]`: one for all roles one implementation fills together.

    Args:
        config: with the paths of its models in (`equip.resolved`).
        references: the stored reference prompts.
        gates: whose scorers are wanted.

    Raises:
        MissingExtra: one needs libraries that are not installed.
        MissingModel: one's weights are not on this disk.
    """
    embedded = [gate for gate in gates if config.scorers.of(gate).use == "embedded"]
    others = {gate: config.scorers.of(gate) for gate in gates if gate not in embedded}
    scorers: list[Scorer] = []
    if embedded:
        from gen_emerge.scorers.embedded import load

        scorers.extend(load(embedded, references))
    extra = config.scorers.extra
    if others or extra.use:
        _stay_offline()
        from gen_emerge.scorers import loading

        scorers.extend(
            loading.load(
                {gate: (table.use, table.options) for gate, table in others.items()},
                references,
                extra=extra.use,
                extra_options=extra.options,
                device=str(config.generator.options.get("device", "auto")),
                batch="auto",
            )
        )
    return tuple(scorers)


def load_detectors(config: SeriesConfig, *, signals: Sequence[str] = ()) -> tuple[Detector, ...]:
    """The detectors of `[detectors] use`, in that order.

    Args:
        config: with the paths of their models in (`equip.resolved`).
        signals: names that are taken: what a detector counts is a signal with its name.

    Raises:
        BadInput: an option is wrong, or another package's detector bears a name that means something else here.
        MissingExtra: one needs libraries that are not installed.
        MissingModel: one's model is not on this disk.
    """
    table = config.detectors
    if not table.use:
        return ()
    from gen_emerge.scorers import defects

    for name in table.use:
        if name in {*signals, *GATES, *NAMES, SELECTOR, "generator"} or name.startswith("rule: "):
            raise BadInput(
                f'A detector cannot be called "{name}": a filter, a gate or a signal of that name is counted already.',
                hint="Its package must give it another name.",
            )
    _stay_offline()
    device = str(config.generator.options.get("device", "auto"))
    return tuple(defects.load(table.use, table.options, device=device))


def load_selector(config: SeriesConfig, scorers: Sequence[Scorer]) -> Selector:
    """Who chooses among the takes of a genome.

    Raises:
        BadConfig: none of these scorers measures a signal that it reads.
    """
    able = sorted({name for scorer in scorers for name in scorer.versions} - {"novelty"})
    table = config.selector
    for name in table.signals if config.loop.best_of > 1 and table.use != PERSONAL else ():
        if name not in able:
            raise BadConfig(f'selector.signals: nothing here measures "{name}".', hint=why_not(name, able))
    rule = "pareto" if table.use == "pareto" else "best"
    return Selector(rule=rule, signals=table.signals, less=frozenset(DISTANCES) & frozenset(table.signals))


def _stay_offline() -> None:
    """What a run needs was fetched before: no library may reach for the network in the middle of a night."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_OFFLINE"] = "1"


def load_critic(config: SeriesConfig) -> Critic:
    """The critic of `[critic] use`.

    Its thresholds on quality and prompt were set with the embedded scorers; other scorers' numbers it leaves alone.

    Raises:
        MissingExtra: it is known, but not part of this version.
        BadInput: nobody has that name.
    """
    from gen_emerge.critics import CRITICS, load

    use = config.critic.use
    if use in KNOWN.critics and use not in CRITICS:
        raise MissingExtra(f'The critic "{use}" is not part of this version.', hint='Write use = "measured".')
    if use not in CRITICS:
        raise BadInput(f'No critic is called "{use}".', hint=nearest(use, CRITICS))
    foreign = [gate for gate in GATES if config.scorers.of(gate).use != "embedded"]
    return load(use, ignore=[gate for gate in foreign if gate in ("quality", "prompt")])
