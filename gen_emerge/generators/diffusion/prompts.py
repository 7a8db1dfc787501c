"""Takes prompts; gives what a pipeline is told of them: embeddings where it takes them, remembered, else the texts.

Every prompt is encoded by itself, once, so that what it means does not depend on its neighbours. A prompt longer than
CLIP's window is read in windows where the pipeline allows it (Stable Diffusion 1, 2 and XL); elsewhere it is said that
its end is cut off.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

REMEMBERED = 64
"""Prompts whose embeddings are kept; with a T5 one takes 4 MB."""

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
        self._known: OrderedDict[tuple[str, str, bool], Told] = OrderedDict()
        self._said: set[str] = set()

    def read(self, prompt: str, negative: str, *, guided: bool) -> Told:
        """What to tell the pipeline of one prompt.

        Args:
            prompt: any text.
            negative: "" for none.
            guided: whether the pipeline will compare with the negative prompt (guidance above 1).
        """
        if negative and not guided and self._names is not None:  # who takes texts decides for itself
            self._say("negative", "The negative prompt does not act: that needs guidance above 1.")
            negative = ""
        key = prompt, negative, guided
        if key not in self._known:
            self._known[key] = self._read(prompt, negative, guided)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def _read(self, prompt: str, negative: str, guided: bool) -> Told:
        import torch

        if negative and self._names and "negative_prompt" not in self._takes:
            self._say("negative", f"{type(self._pipe).__name__} knows no negative prompt: this series' does not act.")
        count = self._length(prompt, negative)
        if self._names is None:
            self._warn(count)
            return {"prompt": prompt, "negative_prompt": negative or None}
        with torch.no_grad():
            if count > self._window and self._names in (_PAIR, _FOUR) and self._pooled_by_windows():
                return _in_windows(self._pipe, prompt, negative, guided)
            self._warn(count)
            return self._encode(prompt, negative, guided)

    def _pooled_by_windows(self) -> bool:
        return type(self._pipe).__name__ != "StableDiffusion3Pipeline"

    def _encode(self, prompt: str, negative: str, guided: bool) -> Told:
        given: dict[str, Any] = {name: None for name in ("prompt_2", "prompt_3") if name in self._takes}
        given |= {"prompt": prompt, "device": self._pipe._execution_device, "num_images_per_prompt": 1}
        if "negative_prompt" in self._takes:
            given["negative_prompt"] = negative or None
        if "do_classifier_free_guidance" in self._takes:
            given["do_classifier_free_guidance"] = guided
        values = self._pipe.encode_prompt(**given)
        return {
            name: value for name, value in zip(self._names or (), values, strict=True) if name and value is not None
        }

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


def _in_windows(pipe: Any, prompt: str, negative: str, guided: bool) -> Told:
    """Embeddings of a long prompt: CLIP reads window after window, what it says of them is put side by side."""
    import torch

    two = getattr(pipe, "text_encoder_2", None) is not None
    readers = [(pipe.tokenizer_2, pipe.text_encoder_2)] if two else []
    if pipe.text_encoder is not None:
        readers.insert(0, (pipe.tokenizer, pipe.text_encoder))
    texts = [prompt, negative] if guided else [prompt]
    count = max(len(_windows(made, text)) for made, _ in readers for text in texts)
    told: dict[str, Any] = {}
    for text, name in zip(texts, _PAIR, strict=False):
        sides: list[Any] = []
        for made, encoder in readers:
            ids = torch.tensor(_windows(made, text, count)).to(pipe._execution_device)
            outputs = [encoder(window[None], output_hidden_states=True) for window in ids]
            sides.append(torch.cat([out.hidden_states[-2] if two else out[0] for out in outputs], dim=1))
            if two:
                told[name.replace("prompt", "pooled_prompt")] = outputs[0][0]  # the last encoder's stands
        told[name] = torch.cat(sides, dim=-1)
    if guided and two and not negative and pipe.config.force_zeros_for_empty_prompt:
        told |= {name: torch.zeros_like(told[name]) for name in list(told) if name.startswith("negative")}
    return told


def _windows(made: Any, text: str, count: int = 1) -> list[list[int]]:
    """A text's tokens in windows of the encoder's length, at least `count` of them, each begun, ended and filled up."""
    ids = list(made(text, truncation=False, add_special_tokens=False).input_ids)
    inner = made.model_max_length - 2
    pieces = [ids[place : place + inner] for place in range(0, len(ids), inner)] or [[]]
    pieces += [[] for _ in range(count - len(pieces))]
    fill = made.pad_token_id if made.pad_token_id is not None else made.eos_token_id
    return [[made.bos_token_id, *piece, made.eos_token_id, *[fill] * (inner - len(piece))] for piece in pieces]
