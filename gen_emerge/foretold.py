"""How well learned axes foretell what people call alike: store -> the `learned_axes` object of `inspect` and `status`.

Reads beside a running series; changes nothing. The figures are those of the last fit, from triplets that took no part
in it; they stand in the event of that cycle.
"""

from __future__ import annotations

from typing import Any

from gen_emerge.config import SeriesConfig
from gen_emerge.likeness import triplets
from gen_emerge.preference.axes import LEAST
from gen_emerge.relaying import KIND
from gen_emerge.state import State
from gen_emerge.store import Store

CHANCE = 0.5
FIGURES = ("accuracy", "low", "high", "embedding", "triplets", "images", "believed", "source")


def learned_axes(config: SeriesConfig, state: State, store: Store | None) -> dict[str, Any] | None:
    """What is said of learned axes; None where the series neither learns any nor has any.

    `version` and `since` are those of the axes in force, None while these are measured; `answered`, how many triplets
    people decided, and `wanted`, without how many nothing is fitted, are None where nobody is asked; `fit` is the last
    fit's: its `cycle`, `accuracy` with its 95% interval (`low`, `high`), `chance`, and what the `embedding` as a whole
    names of the same `triplets`; None before the first.
    """
    laid = state.archive is not None and state.archive.axes.learned
    if config.axes.learn == "off" and not laid:
        return None
    asks = config.axes.learn == "triplets"
    fits = [
        {"cycle": cycle, **{name: event.payload["fitted"][name] for name in FIGURES}, "chance": CHANCE}
        for cycle, event in (store.events() if store is not None else ())
        if event.kind == KIND and "fitted" in event.payload
    ]
    return {
        "learn": config.axes.learn,
        "refit_every": config.axes.refit_every,
        "version": state.archive.axes.version if laid and state.archive is not None else None,
        "since": state.archive.since if laid and state.archive is not None else None,
        "answered": (len(triplets(store)) if store is not None else 0) if asks else None,
        "wanted": LEAST if asks else None,
        "fit": fits[-1] if fits else None,
    }


def sentence(said: dict[str, Any] | None) -> str:
    """The same for people, in a sentence or two; "" where no axes are learned."""
    if said is None:
        return ""
    if said["version"] is None:
        laid = "The axes are measured ones until learned ones foretell better than chance."
    else:
        laid = f"The axes are learned (version {said['version']}, since cycle {said['since']})."
    fit = said["fit"]
    if fit is None:
        asked = f": {said['answered']} triplets are answered, {said['wanted']} are wanted" if said["wanted"] else ""
        return f"{laid} None were fitted yet{asked}."
    who = "people" if fit["source"] == "triplets" else "the scorer's distance, which stands in for people,"
    return (
        f"{laid} Fitted in cycle {fit['cycle']}, they name the picture that {who} named in {fit['accuracy']:.0%} (95% "
        f"interval: {fit['low']:.0%} to {fit['high']:.0%}) of {fit['triplets']} triplets held out; chance is 50%, and "
        f"the whole embedding names {fit['embedding']:.0%}."
    )
