"""Takes a function that measures a batch; gives a scorer of one signal that fills no role.

Diagnostics and selectors are of this kind: what they say is stored, shown and chosen by, and never gates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import IN_THE_FILE, BadInput, ScorerFailed, nearest
from gen_emerge.scorers.batches import Batches
from gen_emerge.types import Pixels, Reading, Signal

if TYPE_CHECKING:
    import torch

_KINDS = {str: "a text", float: "a number", int: "a whole number", bool: "true or false", dict: "a table"}
Measure = Callable[[Sequence[Pixels], Sequence[str]], NDArray[np.floating[Any]]]
"""(n,) images and (n,) prompts -> (n,) raw values."""


class SingleSignal:
    """A scorer of one signal, without a role.

    Args:
        name: the signal's name.
        version: changes whenever a number could.
        measure: measures the images of one portion.
        device: where it runs.
        batch: images at once, or "auto"; halved when the device's memory runs out.
        network: the torch module that is run, so that it can make room for others while idle; or None.
    """

    roles: frozenset[str] = frozenset()

    def __init__(
        self,
        name: str,
        version: str,
        measure: Measure,
        *,
        device: torch.device,
        batch: int | str = "auto",
        network: Any = None,
    ) -> None:
        self.name = name
        self.batches = Batches(device, batch, network=network)
        self._measure = measure
        self._version = version

    @property
    def versions(self) -> Mapping[str, str]:
        """The signal's name -> its version."""
        return MappingProxyType({self.name: self._version})

    def score(self, images: Sequence[Pixels], prompts: Sequence[str]) -> Sequence[Reading]:
        """Measure a batch.

        Args:
            images: (n,) arrays (h, w, 3) uint8, any sizes.
            prompts: (n,) the texts they were made from.

        Returns:
            (n,) readings with the one signal, raw.

        Raises:
            ScorerFailed: a value is not finite; names the image's place in the batch. The loop then measures the
                batch one by one, so that only that image fails.
        """
        if len(images) != len(prompts):
            raise BadInput(f"{self.name} was given {len(images)} images and {len(prompts)} prompts, wanted as many.")
        values = self._in_portions(images, prompts)
        strange = np.flatnonzero(~np.isfinite(values))
        if len(strange):
            place = int(strange[0])
            raise ScorerFailed(
                f"{self.name} is {values[place]} for image {place + 1} of {len(values)}, wanted a finite number.",
                hint="If it is so for every image, the weights are damaged: gen-emerge models verify",
            )
        return [
            Reading(signals=(Signal(scorer=self.name, scorer_version=self._version, value=float(value)),))
            for value in values
        ]

    def _in_portions(self, images: Sequence[Pixels], prompts: Sequence[str]) -> NDArray[np.float32]:
        def step(portion: Sequence[tuple[Pixels, str]]) -> NDArray[np.float32]:
            values = self._measure([image for image, _ in portion], [prompt for _, prompt in portion])
            return np.asarray(values, dtype=np.float32).reshape(len(portion))

        pairs = list(zip(images, prompts, strict=True))
        return self.batches.run(pairs, step) if pairs else np.empty(0, np.float32)


def check_options(
    where: str,
    options: Mapping[str, Any],
    known: Mapping[str, type | tuple[type, ...]],
    *,
    ranges: Mapping[str, tuple[float, float]] = MappingProxyType({}),
) -> None:
    """Refuse an unknown option, one of the wrong type or out of its range. A whole number passes as a number.

    Args:
        where: the table in the series file, such as "detectors.seams", for the error.
        options: as the series file has them.
        known: option -> type or types.
        ranges: option -> its least and its largest value.

    Raises:
        BadInput: names the option's path and what was wanted, or the nearest known option.
    """
    for option, value in options.items():
        if option not in known:
            raise BadInput(f'{where} has no option "{option}".', hint=nearest(option, known))
        if value is None:  # a pin that is not known
            continue
        wanted = known[option]
        kinds = wanted if isinstance(wanted, tuple) else (wanted,)
        able = (*kinds, int) if float in kinds else kinds
        low, high = ranges.get(option, (None, None))
        fits = isinstance(value, able) and (bool in kinds or not isinstance(value, bool))
        if not fits or (low is not None and high is not None and not low <= value <= high):
            names = " or ".join(_KINDS.get(kind, kind.__name__) for kind in kinds)
            among = f" from {low:g} to {high:g}" if low is not None and high is not None else ""
            raise BadInput(f"{where}.{option} = {value!r}: wanted {names}{among}.", hint=IN_THE_FILE)


def require(name: str, options: Mapping[str, Any], option: str, *, what: str) -> str:
    """An option that must be there, as text.

    Raises:
        BadInput: it is not; says what it is for.
    """
    value = options.get(option)
    if not isinstance(value, str) or not value:
        raise BadInput(
            f"{name} needs {option} = {what}.",
            hint=f'Fetch the model ("gen-emerge models pull {name}") and name its place.',
        )
    return str(Path(value).expanduser())
