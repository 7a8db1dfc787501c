"""`gen-emerge train`: models of your own, from your own pictures and rankings."""

from __future__ import annotations

from pathlib import Path

import click

from gen_emerge.cli.app import PATH, App, OneOf, Whole, json_option


@click.group("train")
def command() -> None:
    """Train small models of your own: a classifier of schools, a distance that sees as you do.

    \b
    Example:
        gen-emerge train style schools/ --into probe.safetensors
        gen-emerge --json train clpips night
    """  # noqa: D301


@command.command("style")
@click.argument("folder", type=PATH)
@click.option("--into", type=PATH, required=True, metavar="FILE", help="NAME.safetensors; a card is put beside it.")
@click.option("--series", metavar="SERIES", help="Train on the vectors of this series' prompt gate.  [CLIP ViT-B-32]")
@click.option("--seed", type=Whole(0), default=0, show_default=True, metavar="N", help="Of the split.")
@json_option
@click.pass_obj
def style(app: App, folder: Path, into: Path, series: str | None, seed: int) -> None:
    """Train a linear probe that tells schools apart, for `[scorers.style] use = "probe"`.

    FOLDER holds a sub-folder for every school, two or more, with five pictures or more in each. A fifth of them is kept
    out of the training; the figures are of those.

    \b
    Example:
        gen-emerge train style schools/ --into probe.safetensors
    """  # noqa: D301
    from gen_emerge.cli.training import style_text, train_style

    result = train_style(app, folder, into, series=series, seed=seed)
    app.give(result, lambda: style_text(result))


@command.command("clpips")
@click.argument("source", type=PATH, metavar="SERIES|FOLDER")
@click.option("--into", type=PATH, metavar="DIR", help="Where the distance and its card go.  [the series' models/]")
@click.option("--rater", metavar="NAME", help="Of a series: only what this person said.  [everybody]")
@click.option("--net", type=OneOf(["alex", "squeeze", "vgg"]), default="alex", show_default=True, help="Trunk.")
@click.option("--weights", type=PATH, metavar="FILE", help="The trunk's weights.  [the fetched ones]")
@click.option("--seed", type=Whole(0), default=0, show_default=True, help="Of the split and the order.")
@json_option
@click.pass_obj
def clpips(
    app: App, source: Path, into: Path | None, rater: str | None, net: str, weights: Path | None, seed: int
) -> None:
    """Fit LPIPS's linear layers to what you see as alike, for `[scorers.extra] use = ["clpips"]`.

    A SERIES teaches by its triplets ("which is more like this one?"), 60 or more of them: gen-emerge rounds SERIES
    --open triplets asks five. Rankings and pairs say what is better, not what is alike, and teach nothing here. The
    figures are of triplets whose references took no part: how often LPIPS, and the fitted distance, name the picture
    you named.

    A FOLDER holds a sub-folder for every ranked set: the picture `target.png`, the pictures that were ranked by their
    likeness to it, and `ranks.json`, such as {"a.png": 1, "b.png": 2}; 1 is most alike, ties share a number. Six sets
    or more. The figures are of sets that took no part in it. --into says where the distance goes.

    \b
    Example:
        gen-emerge train clpips night
        gen-emerge train clpips rankings/ --into distance/
    """  # noqa: D301
    from gen_emerge.cli.training import clpips_text, is_series, train_clpips, train_series
    from gen_emerge.errors import BadInput

    if is_series(app, source):
        result = train_series(app, str(source), into, rater=rater, net=net, weights=weights, seed=seed)
    else:
        if rater is not None:
            raise BadInput(
                f"--rater belongs to a series; {source} is none: nobody knows who ranked a folder.",
                hint="Leave it out, or name a series.",
            )
        if into is None:
            raise BadInput("Nobody said where the distance goes: --into DIR.", hint="Such as --into distance/")
        result = train_clpips(app, source, into, net=net, weights=weights, seed=seed)
    app.give(result, lambda: clpips_text(result))


@command.command("reward")
@click.argument("series")
@click.option("--rater", metavar="NAME", help="The taste of this person.  [what all raters have in common]")
@click.option("--preview", is_flag=True, help="Train it and show what it foretells; nothing changes. The default.")
@click.option("--apply", is_flag=True, help="Store it as the next version; it acts only where the figures allow it.")
@click.option("--rollback", type=Whole(0), metavar="VERSION", help="Bring an earlier version back; 0 is none.")
@json_option
@click.pass_obj
def reward(app: App, series: str, rater: str | None, preview: bool, apply: bool, rollback: int | None) -> None:
    """Train a head on your answers, which settles duels of SERIES that it is sure about.

    It reads each picture's embedding and the critic's yes / no answers, and learns from pairs and rankings, 60
    comparisons or more; with 200 most tastes that it can read are learned. Every answer is foretold by a fit that has
    seen neither of its images. Only where the head foretells them better than every signal does, by its whole interval,
    may it act: then it settles duels for a cell in the critic's place where it is sure ([reward] sure), and orders
    takes where [selector] use = "personal". It never gates, never chooses a cell, and your own word stands above it.

    A version counts from a coming cycle on, in a running series too. What people did (images opened, exported, marked)
    is learned from only where that, too, is shown to help.

    \b
    Example:
        gen-emerge train reward night
        gen-emerge train reward night --apply
        gen-emerge train reward night --rollback 0
    """  # noqa: D301
    from gen_emerge import reward as heads
    from gen_emerge.cli.rewarding import back_text, reward_text
    from gen_emerge.cli.series_folder import known_series

    if preview + apply + (rollback is not None) > 1:
        raise click.UsageError("One of --preview, --apply and --rollback.")
    if rollback is not None and rater is not None:
        raise click.UsageError("--rollback brings a version back as it is: leave out --rater.")
    root, archive = known_series(app, series)
    if rollback is not None:
        back = heads.roll_back(root, archive, series, rollback)
        app.give(back, lambda: back_text(back))
        return
    result = (heads.apply if apply else heads.preview)(root, archive, series, rater=rater)
    app.give(result, lambda: reward_text(result))
