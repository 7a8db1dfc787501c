"""Takes the prompts of a batch; gives what a pipeline is told of each: embeddings where it takes them, else the texts.

A batch's distinct prompts are encoded together, so many at once, in the order in which they first come. Kernels give
other last bits to another number of rows, so what is encoded together follows from the batch and that number alone,
never from what was encoded before: after a kill nothing is remembered, and the pictures must be the same. Only what is
compared against, the negative or empty prompt, is remembered: it is always encoded by itself. Every family below fills
each prompt up to a fixed length (T5 too, without a mask): no prompt's embedding depends on how long its neighbours are.

A prompt longer than CLIP's window is read in windows where the pipeline allows it (Stable Diffusion 1, 2 and XL);
elsewhere it is said that its end is cut off. A pipeline of no known family (Z-Image) encodes a call's texts itself.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gen_emerge.generators.diffusion.windows import encoders, in_windows, windows

REMEMBERED = 16
"""Negative prompts whose embeddings are kept: a series has one; with a T5 one takes 4 MB."""

Told = Mapping[str, Any]
"""Arguments of a pipeline's call: tensors (1, ...) that are joined along their first axis, or texts."""

_PAIR = ("prompt_embeds", "negative_prompt_embeds")
_FOUR = (*_PAIR, "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "StableDiffusionPipeline": _PAIR,
    "StableDiffusionXLPipeline": _FOUR,
    "StableDiffusion3Pipeline": _FOUR,
    "FluxPipeline": ("prompt_embeds", "pooled_prompt_embeds", ""),
}
"""Pipeline -> what its `encode_prompt` gives, by the names under which its call takes it ("" is not taken)."""
_WINDOWED = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")


class Asked(NamedTuple):
    """What one picture is to be of.

    Args:
        prompt: any text.
        negative: "" for none.
        guided: whether the pipeline will compare with the negative prompt (guidance above 1).
    """

    prompt: str
    negative: str
    guided: bool


class Reader:
    """Reads prompts for one pipeline.

    Args:
        pipe: encodes.
        tell: called once with a sentence when a prompt's end is cut off, or a negative prompt does not act.
    """

    def __init__(self, pipe: Any, tell: Callable[[str], None]) -> None:
        self._pipe = pipe
        self._tell = tell
        self._names = _FAMILIES.get(type(pipe).__name__)
        self._takes = set(inspect.signature(pipe.encode_prompt).parameters) if self._names else set[str]()
        self._window = _window(pipe)
        self._against: OrderedDict[tuple[str, int], Told] = OrderedDict()
        self._said: set[str] = set()

    def read(self, asked: Sequence[Asked], *, at_once: int) -> list[Told]:
        """What to tell the pipeline of every prompt of a batch.

        Args:
            asked: (n,) prompts, in the batch's order.
            at_once: so many distinct prompts are encoded in one call, at most; >= 1.

        Returns:
            (n,) in the same order. The same batch and number give the same bits, whatever was read before.
        """
        import torch

        if self._names is None:
            return [self._as_text(one) for one in asked]
        asked = [self._acting(one) for one in asked]
        counts = [self._count(one) for one in asked]
        with torch.no_grad():
            meant = self._encode(dict.fromkeys((one.prompt, n) for one, n in zip(asked, counts, strict=True)), at_once)
            return [
                {**meant[one.prompt, n], **(self._compared(one.negative, n) if one.guided else {})}
                for one, n in zip(asked, counts, strict=True)
            ]

    # ---- what acts -----------------------------------------------------------------------------------------------

    def _as_text(self, one: Asked) -> Told:
        self._warn(self._length(one.prompt, one.negative))
        return {"prompt": one.prompt, "negative_prompt": one.negative or None}  # the pipeline decides whether it acts

    def _acting(self, one: Asked) -> Asked:
        if one.negative and not one.guided:
            self._say("negative", "The negative prompt does not act: that needs guidance above 1.")
            return one._replace(negative="")
        if one.negative and "negative_prompt" not in self._takes:
            self._say("negative", f"{type(self._pipe).__name__} knows no negative prompt: this series' does not act.")
        return one

    def _count(self, one: Asked) -> int:
        """Windows in which a prompt and its negative are read, 0 where the pipeline itself reads them."""
        texts = [one.prompt, one.negative] if one.guided else [one.prompt]
        length = self._length(*texts)
        if length > self._window and type(self._pipe).__name__ in _WINDOWED:
            return max(len(windows(made, text)) for made, _ in encoders(self._pipe) for text in texts)
        self._warn(length)
        return 0

    # ---- encoding ------------------------------------------------------------------------------------------------

    def _encode(self, wanted: Iterable[tuple[str, int]], at_once: int) -> dict[tuple[str, int], Told]:
        """Distinct (prompt, windows) -> what is told of each; those of as many windows are encoded together."""
        alike: dict[int, list[str]] = {}
        for prompt, count in wanted:
            alike.setdefault(count, []).append(prompt)
        found: dict[tuple[str, int], Told] = {}
        for count, prompts in alike.items():
            for first in range(0, len(prompts), at_once):
                some = prompts[first : first + at_once]
                told = in_windows(self._pipe, some, count) if count else self._whole(some)
                for row, prompt in enumerate(some):
                    found[prompt, count] = {name: value[row : row + 1] for name, value in told.items()}
        return found

    def _compared(self, negative: str, count: int) -> Told:
        """What a guided picture is compared with, encoded by itself: it may be remembered."""
        if "negative_prompt" not in self._takes:
            return {}
        key = negative, count
        if key not in self._against:
            self._against[key] = self._negative(negative, count)
            if len(self._against) > REMEMBERED:
                self._against.popitem(last=False)
        self._against.move_to_end(key)
        return self._against[key]

    def _negative(self, negative: str, count: int) -> Told:
        if not count:
            told = self._whole([""], negative=negative, guided=True)
            return {name: value for name, value in told.items() if name.startswith("negative")}
        told = {f"negative_{name}": value for name, value in in_windows(self._pipe, [negative], count).items()}
        if not negative and self._pipe.config.get("force_zeros_for_empty_prompt"):
            return {name: value.new_zeros(value.shape) for name, value in told.items()}
        return told

    def _whole(self, prompts: list[str], *, negative: str = "", guided: bool = False) -> dict[str, Any]:
        """What the pipeline makes of prompts of its own length: (n, ...) tensors by name."""
        given: dict[str, Any] = {name: None for name in ("prompt_2", "prompt_3") if name in self._takes}
        given |= {"prompt": prompts, "device": self._pipe._execution_device, "num_images_per_prompt": 1}
        if "negative_prompt" in self._takes:
            given["negative_prompt"] = [negative] * len(prompts) if negative else None
        if "do_classifier_free_guidance" in self._takes:
            given["do_classifier_free_guidance"] = guided
        values = self._pipe.encode_prompt(**given)
        named = zip(self._names or (), values, strict=True)
        return {name: value for name, value in named if name and value is not None}

    # ---- what is said --------------------------------------------------------------------------------------------

    def _length(self, *texts: str) -> int:
        made = getattr(self._pipe, "tokenizer", None)
        return max((len(made(text, truncation=False).input_ids) for text in texts), default=0) if made else 0

    def _warn(self, count: int) -> None:
        if self._window and count > self._window:
            self._say(
                "long", f"A prompt of {count} tokens is cut off at {self._window}: this checkpoint reads no more."
            )

    def _say(self, what: str, sentence: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self._tell(sentence)


def joined(told: Sequence[Told]) -> dict[str, Any]:
    """What is told of several prompts, as one call takes it."""
    import torch

    call: dict[str, Any] = {}
    for name in told[0]:
        values = [one[name] for one in told]
        if isinstance(values[0], torch.Tensor):
            call[name] = torch.cat(values)
        elif any(value is not None for value in values):
            call[name] = [value or "" for value in values]
    return call


def extent(told: Told) -> int:
    """Tokens of what is told: only prompts of one extent can be painted together."""
    embeds = told.get("prompt_embeds")
    return 0 if embeds is None else int(embeds.shape[1])


def _window(pipe: Any) -> int:
    """The longest text, in tokens, that any of a pipeline's encoders reads whole; 0 where it is not known."""
    most = 0
    for name in ("tokenizer", "tokenizer_2", "tokenizer_3"):
        made = getattr(pipe, name, None)
        if made is None:
            continue
        if "CLIP" in type(made).__name__:
            most = max(most, int(made.model_max_length))
        else:
            limit = inspect.signature(pipe.__call__).parameters.get("max_sequence_length")
            most = max(most, int(limit.default) if limit is not None else 0)
    return most
