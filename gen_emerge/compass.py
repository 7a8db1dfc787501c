"""Where a series' raters are heading, in words: shown from what they answered.

Takes a studio folder, an archive and a series; gives plain objects. Works beside a running series.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gen_emerge.candidacy import open_store
from gen_emerge.preference.compass import COVERAGE, Compass, Leaning
from gen_emerge.steering import compass_of


def show(root: Path, archive: Path, name: str) -> dict[str, Any]:
    """What the answers so far say of the words; the series stays as it is.

    Args:
        root: the studio folder.
        archive: the folder of all series.
        name: the series.

    Raises:
        NotFound, BadInput: there is no such series, or it has not been run.
    """
    with closing(open_store(root, archive, name, readonly=True)) as store:
        return {"series": name, **_object(compass_of(store))}


def _object(compass: Compass) -> dict[str, Any]:
    return {
        "answers": {"duels": compass.duels, "keeps": compass.keeps, "images": compass.images},
        "coverage": COVERAGE,
        "more": [_said(each) for each in compass.named("more")],
        "less": [_said(each) for each in compass.named("less")],
        "unsaid": [_said(each) for each in compass.leanings if not each.says],
    }


def _said(leaning: Leaning) -> dict[str, Any]:
    about = asdict(leaning)
    kind = {"slot": about.pop("name"), "word": about.pop("word")}
    return {**(kind if kind["word"] else {"parameter": kind["slot"]}), **about}
