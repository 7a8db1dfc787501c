"""The probing process, started by `probing.probe` only: renders, encodes and scores genomes one by one.

Takes one JSON object on standard input (settings, studio folder, reference prompts, genomes, and the series' folder,
where pictures lie that genomes begin from); writes "ready", then "done" after every genome that did not end the
process. A genome that raises does not end it. Whatever else is printed, by a plug-in or a library, goes to standard
error: a stray "done" would put another genome's death on an innocent one.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(say: Callable[[str], None]) -> None:
    """Probe what standard input asks for.

    Args:
        say: given "ready", and "done" after every genome.
    """
    from gen_emerge.config import parse
    from gen_emerge.crew import known_names, load_detectors, load_generator, load_scorers
    from gen_emerge.engines.local import to_pixels
    from gen_emerge.generators.imported import Imported
    from gen_emerge.scorers.measures import PixelMeasures
    from gen_emerge.store.images import encode, paths_of, read_pixels
    from gen_emerge.store.imports import read_import
    from gen_emerge.types import Genome, Pixels

    asked: dict[str, Any] = json.load(sys.stdin)
    config = parse(asked["settings"], known=known_names())

    def picture(genome: str) -> Pixels:
        return read_pixels(Path(asked["folder"]) / paths_of(genome)[0])

    generator = load_generator(config, picture if asked.get("folder") else None)
    imports = Imported(lambda pixels: read_import(Path(asked["folder"]), pixels))
    scorers = (PixelMeasures(), *load_scorers(config, asked["references"]))
    detectors = load_detectors(config)
    say("ready")
    for values in asked["genomes"]:
        genome = Genome(**values)
        with contextlib.suppress(Exception, SystemExit):
            pixels, _ = to_pixels((imports if genome.imported else generator).render([genome])[0])
            encode(genome, pixels, series=config.name)
            for scorer in scorers:
                scorer.score([pixels], [genome.prompt])
            for detector in detectors:
                detector.find([pixels])
        say("done")


if __name__ == "__main__":
    _told = os.dup(1)
    os.dup2(2, 1)

    def _say(word: str) -> None:
        os.write(_told, f"{word}\n".encode())

    main(_say)
