"""Takes names and options of `[scorers.extra]`; gives scorers without a role, and distances between pictures.

All of these are diagnostics and selectors: shown, stored, chosen by; never gates, never what a series maximises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gen_emerge.errors import BadInput, nearest
from gen_emerge.protocols import Scorer
from gen_emerge.scorers.aesthetic import Tower, load_aesthetic
from gen_emerge.scorers.clpips import load_clpips
from gen_emerge.scorers.perceptual import Distance, Psnr, Ssim, to_target
from gen_emerge.scorers.perceptual_networks import Dists, load_lpips
from gen_emerge.scorers.rewards.hps import load_hps
from gen_emerge.scorers.rewards.imagereward import load_imagereward
from gen_emerge.scorers.rewards.pickscore import load_pickscore

AESTHETIC = ("laion", "laion_v1", "laion_v2")
"""Read a CLIP embedding: the tower of the prompt gate, or one of their own. "laion" is whichever the weights are."""

REWARDS: Mapping[str, Callable[..., Scorer]] = {
    "imagereward": load_imagereward,
    "hps": load_hps,
    "pickscore": load_pickscore,
}
"""Learned human preference: comparable only within one prompt."""

DISTANCES: Mapping[str, Callable[..., Distance]] = {
    "lpips": load_lpips,
    "dists": Dists,
    "clpips": load_clpips,
    "psnr": Psnr,
    "ssim": Ssim,
}
"""Name -> loader(options, device=...). As scorers they need `target`, the picture to compare with."""

NAMES = (*AESTHETIC, *REWARDS, *DISTANCES)


def load(
    names: Sequence[str], options: Mapping[str, Mapping[str, Any]], *, tower: Tower | None, device: str
) -> list[Scorer]:
    """Open the scorers of `[scorers.extra] use`.

    Args:
        names: any of `NAMES`, each once.
        options: name -> its own table, `[scorers.extra.NAME]`.
        tower: the CLIP tower of the prompt gate, for LAION's heads; a head whose table names `clip` opens its own.
        device: where to run; an option `device` in a table goes before it.

    Returns:
        Scorers in the order of the names; each fills no role and gives one signal.

    Raises:
        BadInput: an unknown name, a name twice, an option that is wrong, weights that do not fit.
        MissingModel: weights are not there.
    """
    for name in (*names, *options):
        if name not in NAMES:
            raise BadInput(f'There is no extra scorer "{name}".', hint=nearest(name, NAMES))
    idle = [name for name in options if name not in names]
    if idle:
        raise BadInput(f'Options are given for "{idle[0]}", which is not in use.', hint=f'Add "{idle[0]}" to use.')
    opened = [_open(name, options.get(name, {}), tower=tower, device=device) for name in names]
    signals = [signal for scorer in opened for signal in scorer.versions]
    twice = sorted({signal for signal in signals if signals.count(signal) > 1})
    if twice:
        raise BadInput(f'Two extra scorers give the signal "{twice[0]}".', hint="Leave one of them out.")
    return opened


def load_distance(name: str, options: Mapping[str, Any], *, device: str) -> Distance:
    """Open one comparison between pictures.

    Raises:
        BadInput: an unknown name, an option that is wrong, weights that do not fit.
        MissingModel: weights are not there.
    """
    if name not in DISTANCES:
        raise BadInput(f'There is no distance "{name}".', hint=nearest(name, DISTANCES))
    return DISTANCES[name](options, device=device)


def _open(name: str, options: Mapping[str, Any], *, tower: Tower | None, device: str) -> Scorer:
    own = {key: value for key, value in options.items() if key != "device"}
    place = str(options.get("device", device))
    if name in AESTHETIC:
        return load_aesthetic(name, own, tower=None if "clip" in own else tower, device=place)
    if name in REWARDS:
        return REWARDS[name](own, device=place)
    target = own.pop("target", None)
    if not isinstance(target, str):
        raise BadInput(
            f"{name} compares two pictures: as a scorer it needs target = the picture to compare with.",
            hint=f'Write it under [scorers.extra.{name}], or use "gen-emerge distance".',
        )
    return to_target(load_distance(name, own, device=place), target, device=place)
