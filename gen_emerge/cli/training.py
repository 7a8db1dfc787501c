"""Takes sorted or ranked pictures, or a series' triplets; gives what `gen-emerge train` prints: files and figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from gen_emerge.cli.app import App
from gen_emerge.cli.pictures import read_picture
from gen_emerge.cli.series_folder import DATABASE, series_folder
from gen_emerge.cli.targets import CARD, WEIGHTS, check_file, check_folder
from gen_emerge.errors import BadInput, MissingModel, NotFound, nearest

RANKS = "ranks.json"
TARGET = "target.png"


def train_style(app: App, folder: Path, into: Path, *, series: str | None, seed: int) -> dict[str, Any]:
    """Train a probe on the vectors of a CLIP model.

    Raises:
        BadInput: the folder, the target or the series is wrong.
        MissingExtra, MissingModel: libraries or weights are not here.
    """
    if into.suffix != ".safetensors" or not into.parent.is_dir():
        raise BadInput(
            f"--into {into}: wanted NAME.safetensors in a folder that is there.", hint="Such as probe.safetensors"
        )
    check_file(app, into, "--into", WEIGHTS, trained=True)
    check_file(app, into.with_suffix(".json"), "--into", CARD, trained=True)
    from gen_emerge.scorers.training_style import pictures_by_class, train

    pictures_by_class(folder)  # what is wrong with the folder is said before a model is opened
    outcome = train(folder, _tower(app, series), into, seed=seed, tell=app.note)
    return asdict(outcome)


def _tower(app: App, series: str | None) -> Any:
    from gen_emerge.cli.measuring import of_profile, of_series
    from gen_emerge.equip import resolved
    from gen_emerge.models.devices import choose_device
    from gen_emerge.needs import measuring, preflight

    whose = of_profile("diffusion") if series is None else of_series(app, series)
    config = measuring(whose.config, ("prompt",), extra=False)
    if config.scorers.prompt.use != "clip":
        raise BadInput(
            f'The prompt gate of "{series}" is no CLIP: its vectors cannot be trained on.',
            hint='Write [scorers.prompt] use = "clip", or leave out --series.',
        )
    preflight(config, whose.root)
    options = resolved(config, whose.root).scorers.prompt.options
    from gen_emerge.scorers.clip.checkpoint import find
    from gen_emerge.scorers.clip.tower import Tower
    from gen_emerge.scorers.views import Views

    return Tower(find("scorers.prompt", options), device=choose_device("auto"), views=Views(), batch="auto")


def style_text(result: dict[str, Any]) -> str:
    """The outcome for people."""
    classes = ", ".join(f"{name} ({count})" for name, count in zip(result["classes"], result["pictures"], strict=True))
    lines = [
        f"{result['weights']}",
        f"  schools    {classes}",
        f"  held out   {result['held_out']} pictures: {result['accuracy']:.1%} right "
        f"(always naming the most frequent: {result['majority']:.1%}), log loss {result['log_loss']:.3f}",
    ]
    if result["skipped"]:
        lines.append(f"  skipped    {len(result['skipped'])} that cannot be read: {', '.join(result['skipped'][:5])}")
    lines.append(f'  to use it  [scorers.style] use = "probe", weights = "{result["weights"]}"')
    return "\n".join(lines)


def train_clpips(app: App, folder: Path, into: Path, *, net: str, weights: Path | None, seed: int) -> dict[str, Any]:
    """Fit a distance to rankings.

    Raises:
        BadInput: the folder or a set in it is wrong, or there are too few.
        MissingExtra, MissingModel: libraries or the trunk's weights are not here.
    """
    into = check_folder(app, into, "--into", trained=True)
    from gen_emerge.scorers.perceptual_networks import load_lpips
    from gen_emerge.scorers.training_clpips import RankedSet, Settings, differences, figures, save, train

    read = [_ranked(path) for path in ranked_folders(folder)]
    base = load_lpips(_trunk(net, weights), device="auto")
    settings = Settings(seed=seed)
    sets = [RankedSet(target=target, images=tuple(images), ranks=tuple(ranks)) for target, images, ranks in read]
    fitted = train(base.weights, differences(base, sets), settings)
    path = save(into, base, fitted, net=net, trunk=base.trunk, settings=settings)
    about = {"sets": len(sets), "training_sets": fitted.training_sets, "pairs": fitted.pairs, "epochs": fitted.epochs}
    return {"fitted": str(path), **about, "held_out": figures(fitted.gain)}


def train_series(
    app: App, name: str, into: Path | None, *, rater: str | None, net: str, weights: Path | None, seed: int
) -> dict[str, Any]:
    """Fit a distance to what people called alike in a series.

    Args:
        app: names the archive.
        name: the series.
        into: where to; None for the series' own `models/`.
        rater: only what this one said; None for everybody.
        net: trunk.
        weights: its file; None for the fetched one.
        seed: of the split and the order.

    Raises:
        NotFound, BadInput: there is no such series, or too few triplets: says what asks for more.
        MissingExtra, MissingModel: libraries or the trunk's weights are not here.
    """
    from gen_emerge.likeness import pictures_of, triplets
    from gen_emerge.scorers.training_clpips import (
        RankedSet,
        Settings,
        check_choices,
        differences,
        figures,
        save,
        train_choices,
    )
    from gen_emerge.store import Store

    folder, _ = series_folder(app, name)
    into = check_folder(app, folder / "models" if into is None else into, "--into", trained=True)
    with Store.open(folder, readonly=True) as store:
        said = triplets(store, rater=rater)
        _refuse_few(check_choices, [one.reference for one in said], name)
        seen, left_out = pictures_of(store, folder, said)
    references = [one.reference for one, _ in seen]
    _refuse_few(check_choices, references, name)
    from gen_emerge.scorers.perceptual_networks import load_lpips

    base = load_lpips(_trunk(net, weights), device="auto")
    settings = Settings(seed=seed)
    sets = [RankedSet(target=target, images=(near, far), ranks=(1.0, 2.0)) for _, (target, near, far) in seen]
    fitted = train_choices(base.weights, differences(base, sets), references, settings)
    path = save(into, base, fitted, net=net, trunk=base.trunk, settings=settings)
    return {
        "fitted": str(path),
        "series": name,
        "raters": sorted({one.rater for one, _ in seen}),
        "triplets": len(seen),
        "left_out": left_out,
        "training_triplets": fitted.training_sets,
        "epochs": fitted.epochs,
        "held_out": figures(fitted.gain),
    }


def _refuse_few(check: Callable[[Sequence[int]], None], references: Sequence[int], name: str) -> None:
    try:
        check(references)
    except BadInput as error:
        hint = f"Ask for more, five at a time, and answer them: gen-emerge rounds {name} --open triplets"
        raise BadInput(error.message, hint=hint) from None


def is_series(app: App, given: Path) -> bool:
    """Whether what was typed is a series' name; a folder of ranked sets that has that name goes before it.

    Raises:
        NotFound: it is neither a series nor there.
    """
    from gen_emerge.studio_folder import series_names

    if len(given.parts) != 1 or (given.is_dir() and any(given.glob(f"*/{RANKS}"))):
        return False
    try:
        root, archive = app.folders()
    except NotFound:
        return False
    names = sorted({*series_names(root), *(path.parent.name for path in archive.glob(f"*/{DATABASE}"))})
    if str(given) not in names and not given.exists():
        raise NotFound(f"There is neither a series nor a folder {given}.", hint=nearest(str(given), names))
    return str(given) in names


def _trunk(net: str, weights: Path | None) -> dict[str, Any]:
    if weights is not None:
        return {"net": net, "weights": str(weights)}
    from gen_emerge.models import home
    from gen_emerge.models.catalogue import catalogue

    entry = catalogue().get(f"lpips-{net}")
    path = home.where(entry) if entry else None
    if path is None:
        hint = f"gen-emerge models pull {entry.name}" if entry else "Name torchvision's file: --weights FILE"
        raise MissingModel(f"The trunk {net} of LPIPS is not here.", hint=hint)
    return {"net": net, "weights": str(path), "sha256": home.pin_of(path)}


def ranked_folders(folder: Path) -> list[Path]:
    """Sub-folders that hold a ranked set, in order.

    Raises:
        BadInput: there is none.
    """
    found = sorted(path.parent for path in folder.glob(f"*/{RANKS}")) if folder.is_dir() else []
    if not found:
        raise BadInput(f"{folder} holds no sub-folder with a {RANKS}.", hint="See gen-emerge train clpips --help")
    return found


def _ranked(folder: Path) -> tuple[Any, list[Any], list[float]]:
    """Target, pictures and their ranks."""
    path = folder / RANKS
    try:
        table: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", hint='Such as {"a.png": 1, "b.png": 2}') from None
    ranks: dict[str, Any] = cast(dict[str, Any], table) if isinstance(table, dict) else {}
    numbers = [value for value in ranks.values() if isinstance(value, int | float) and not isinstance(value, bool)]
    outside = [name for name in ranks if Path(name).name != name]
    if len(numbers) != len(ranks) or len(ranks) < 2 or outside:
        raise BadInput(
            f"{path}: wanted two or more file names of this folder, each with a number.", hint='Such as {"a.png": 1}'
        )
    return read_picture(folder / TARGET), [read_picture(folder / name) for name in ranks], [float(n) for n in numbers]


def clpips_text(result: dict[str, Any]) -> str:
    """The outcome for people."""
    if "series" in result:
        return _choices_text(result)
    held = result["held_out"]
    figures = "; ".join(
        f"{words} {_signed(held[key])} (between {_signed(held[f'{key}_interval'][0])} and "
        f"{_signed(held[f'{key}_interval'][1])})"
        for key, words in (("spearman", "Spearman"), ("icc_2k", "ICC(2,k)"))
    )
    return "\n".join(
        (
            result["fitted"],
            f"  learned from {result['training_sets']} of {result['sets']} sets, {result['pairs']} pairs, "
            f"{result['epochs']} epochs",
            f"  held out: {figures}",
            f'  to use it: [scorers.extra] use = ["clpips"], [scorers.extra.clpips] fitted = "{result["fitted"]}"',
        )
    )


def _signed(value: float | None) -> str:
    return "not defined" if value is None else f"{value:+.3f}"


def _choices_text(result: dict[str, Any]) -> str:
    held = result["held_out"]

    def share(key: str, form: str = ".0%") -> str:
        low, high = held[f"{key}_interval"]
        return f"{held[key]:{form}} ({low:{form}} to {high:{form}})"

    better = held["gain_interval"][0] > 0
    lines = [
        result["fitted"],
        f"  learned from {result['training_triplets']} of {result['triplets']} triplets that "
        f"{', '.join(result['raters'])} decided, {result['epochs']} epochs",
        f"  held out: {held['triplets']} triplets of {held['references']} references",
        f"    LPIPS names the same picture in {share('before')}",
        f"    fitted, it does in {share('after')}; a coin in 50%",
        f"    gained {share('gain', '+.0%')}, {held['level']:.0%} intervals",
    ]
    if result["left_out"]:
        lines.append(f"  left out: {result['left_out']}, whose pictures are lost or of different sizes")
    if not better:
        lines.append("  It is not shown to see more as you do than LPIPS does. More triplets may show it:")
        lines.append(f"    gen-emerge rounds {result['series']} --open triplets")
    lines.append(f'  to use it: [scorers.extra] use = ["clpips"], [scorers.extra.clpips] fitted = "{result["fitted"]}"')
    return "\n".join(lines)
