"""Where a series' raters are heading, in words: shown from what they answered, with the words they forbid.

Takes a studio folder, an archive and a series; gives plain objects. A word that is forbidden, or allowed again, is one
input, which counts from the next cycle that nothing has been begun of yet; a running series takes it up by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gen_emerge.candidacy import open_store, run_to
from gen_emerge.config import load
from gen_emerge.crew import known_names, load_banks
from gen_emerge.errors import BadInput, nearest
from gen_emerge.preference.compass import COVERAGE, Compass, Leaning
from gen_emerge.steering import compass_of
from gen_emerge.store import Store, holder
from gen_emerge.studio_folder import series_file
from gen_emerge.types import PromptBank
from gen_emerge.vocabulary import KIND, forbidden

TOLD = (("forbidden", True), ("allowed", False))
"""What a command did, in the object it gives, by what its inputs say of `never`."""


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
        return _object(name, store)


def tell(
    root: Path, archive: Path, name: str, *, never: Sequence[str] = (), allow: Sequence[str] = ()
) -> dict[str, Any]:
    """Forbid words for ever, or allow them again. What is so already is not written twice.

    Args:
        root: the studio folder.
        archive: the folder of all series.
        name: the series.
        never: words of its bank.
        allow: words that are forbidden.

    Raises:
        NotFound, BadInput: there is no such series; a word that is none; a slot would have no word left.
    """
    if both := sorted({*never} & {*allow}):
        raise BadInput(f'"{both[0]}" can not be forbidden and allowed at once.', hint="Leave one of the two out.")
    config = load(series_file(root, name), known=known_names())
    bank, _ = load_banks(config, root)
    with closing(open_store(root, archive, name)) as store:
        while True:
            known = store.inputs_of(KIND)
            wanted = _changes(name, bank, forbidden(known), never, allow)
            if not wanted:
                return _object(name, store)
            newest = known[-1].id if known else 0
            if asked := store.add_inputs([(KIND, payload) for payload in wanted], unless=(KIND, newest)):
                first = asked[0].first_cycle
                told = {word: [each["word"] for each in wanted if each["never"] is never_] for word, never_ in TOLD}
                return {**_object(name, store), **told, "from_cycle": first, "run": run_to(config, first)}
            # Somebody else forbade a word at this moment: it is looked at anew what would be left.


def _changes(
    name: str, bank: PromptBank, now: frozenset[str], never: Sequence[str], allow: Sequence[str]
) -> list[dict[str, Any]]:
    """What is to be written, one entry a word."""
    words = list(dict.fromkeys(word for those in bank.slots.values() for word in those))
    for word in never:
        if word not in words:
            raise BadInput(f'The prompts of {name} have no word "{word}" ({bank.id}).', hint=nearest(word, words))
    for word in allow:
        if word not in now and word in words:
            continue
        if word not in now:
            hint = nearest(word, sorted(now)) or f"None is: gen-emerge compass {name}"
            raise BadInput(f'"{word}" is no word that is forbidden.', hint=hint)
    _refuse_empty(name, bank, now, never, allow)
    told = [{"word": word, "never": True} for word in dict.fromkeys(never) if word not in now]
    return told + [{"word": word, "never": False} for word in dict.fromkeys(allow) if word in now]


def _refuse_empty(name: str, bank: PromptBank, now: frozenset[str], never: Sequence[str], allow: Sequence[str]) -> None:
    """A slot keeps one word at least; where some of its words were forbidden before, one of these may come back."""
    gone = (now | {*never}) - {*allow}
    for slot, words in bank.slots.items():
        if words and gone.issuperset(words):
            before = [word for word in words if word in now]
            last = next(word for word in words if word not in now)
            allowed = f'allow another one first: gen-emerge compass {name} --allow "{before[0]}"' if before else ""
            raise BadInput(
                f"The slot {slot} of {bank.id} would have no word left: "
                + ", ".join(f'"{word}"' for word in words)
                + " would never come again.",
                hint=f'Leave out --never "{last}"' + (f", or {allowed}" if allowed else "."),
            )


def _object(name: str, store: Store) -> dict[str, Any]:
    compass: Compass = compass_of(store)
    return {
        "series": name,
        "from_cycle": None,
        "run": None,
        "forbidden": [],
        "allowed": [],
        "running": holder(store.folder) is not None,
        "answers": {"duels": compass.duels, "keeps": compass.keeps, "images": compass.images},
        "coverage": COVERAGE,
        "more": [_said(each) for each in compass.named("more")],
        "less": [_said(each) for each in compass.named("less")],
        "never": sorted(forbidden(store.inputs_of(KIND))),
        "unsaid": [_said(each) for each in compass.leanings if not each.says],
    }


def _said(leaning: Leaning) -> dict[str, Any]:
    about = asdict(leaning)
    kind = {"slot": about.pop("name"), "word": about.pop("word")}
    return {**(kind if kind["word"] else {"parameter": kind["slot"]}), **about}
