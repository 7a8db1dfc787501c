"""`gen-emerge paint`: one picture from a prompt, by the embedded painter."""

from __future__ import annotations

from pathlib import Path

import click

from gen_emerge.cli.app import PATH, App, Whole, json_option, plain_text


@click.command("paint")
@click.argument("prompt")
@click.option("--seed", type=Whole(0, 2**32 - 1), default=0, show_default=True, help="Another picture of it.")
@click.option("--size", default="512", show_default=True, metavar="N|WxH", help="Pixels, 16 to 8192 a side.")
@click.option("-o", "--output", type=PATH, metavar="PNG", help="The file.  [named by the prompt]")
@json_option
@click.pass_obj
def command(app: App, prompt: str, seed: int, size: str, output: Path | None) -> None:
    """Paint one picture from a prompt; the same prompt, seed and size give the same file.

    The painter knows schools (marbled, strokes, attractor, glass, tiles, moire, circles, branches), palettes,
    compositions, scales, textures and moods. What a prompt leaves open is drawn by the seed, and those words are named
    on stderr, as are words it does not understand, which have no effect.

    \b
    Example:
        gen-emerge paint "a stormy marbled print in ember colours" \\
            --seed 3 -o storm.png
    """  # noqa: D301
    from gen_emerge.cli.painting import LONGEST_PROMPT, paint_prompt, png_of
    from gen_emerge.cli.pictures import check_png_target, parse_size, slug
    from gen_emerge.cli.targets import PICTURE, check_file
    from gen_emerge.reports.files import write_bytes

    app.optional_root()
    plain_text(prompt, "The prompt", longest=LONGEST_PROMPT)
    width, height = parse_size(size)
    path = output or Path(f"{slug(prompt)}-{seed}.png")
    check_png_target(path)
    check_file(app, path, "-o", PICTURE)
    painted = paint_prompt(prompt, seed, width, height)
    if painted.strange:
        app.note(f"Not understood, without effect: {', '.join(painted.strange)}")
    if painted.drawn:
        drawn = ", ".join(f"{slot} {painted.genome.slots[slot]}" for slot in painted.drawn)
        app.note(f"Drawn by the seed, as the prompt does not say: {drawn}")
    write_bytes(path, png_of(painted.genome, painted.pixels))
    result = {
        "path": str(path),
        "prompt": prompt,
        "slots": dict(painted.genome.slots),
        "seed": seed,
        "width": width,
        "height": height,
        "drawn": list(painted.drawn),
        "not_understood": list(painted.strange),
    }
    app.give(result, str(path))
