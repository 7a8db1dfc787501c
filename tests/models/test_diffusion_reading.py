"""How prompts are read: together, so that a text encoder is called once a batch, and the same after every kill.

On some devices a kernel gives other last bits to another number of rows; here a network is made to, visibly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

import torch
from diffusion_tools import apart, genome, open_generator
from tiny_pipelines import MAKERS

from gen_emerge.generators.diffusion.prompts import REMEMBERED, Asked
from gen_emerge.generators.diffusion.windows import windows as cut

pytestmark = pytest.mark.models

KNOWN = [kind for kind in MAKERS if kind != "zimage"]
LONG = "a very long prompt that goes on and on " * 5
WORDS = ("a cat", "the ocean at night under a thousand small lamps", "a red tower", "sand")


def encoders(painter: Any) -> list[Any]:
    names = ("text_encoder", "text_encoder_2", "text_encoder_3")
    return [part for name in names if (part := getattr(painter._opened.pipe, name, None)) is not None]


@contextmanager
def counted(painter: Any) -> Iterator[list[int]]:
    """Rows of every call of the first text encoder."""
    rows: list[int] = []

    def note(_module: Any, args: Any, named: Any, _out: Any) -> None:
        rows.append(len(args[0] if args else named["input_ids"]))

    hook = encoders(painter)[0].register_forward_hook(note, with_kwargs=True)
    try:
        yield rows
    finally:
        hook.remove()


def batch(painter: Any, words: Any = WORDS, **more: Any) -> list[Any]:
    return [genome(painter, seed=seed, prompt=text, **more) for seed, text in enumerate(words, start=1)]


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def uneven(painter: Any) -> Any:
    """Its networks now give other numbers to another number of rows."""

    def shift(module: Any, args: Any, named: Any, out: Any) -> Any:
        more = 0.02 * len(next(value for value in (*args, *named.values()) if isinstance(value, torch.Tensor)))
        if isinstance(out, tuple):
            first = [one + more for one in out[0]] if isinstance(out[0], list) else out[0] + more
            return (first, *out[1:])
        for name, value in out.items():
            if isinstance(value, torch.Tensor):
                out[name] = value + more
            elif isinstance(value, tuple):
                out[name] = tuple(one + more for one in value)
        return out

    parts = [*encoders(painter), getattr(painter._opened.pipe, "unet", None) or painter._opened.pipe.transformer]
    for part in parts:
        part.register_forward_hook(shift, with_kwargs=True)
    return painter


# ---- together ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KNOWN)
def test_a_batch_is_read_in_one_call_and_what_it_is_compared_with_once(tiny, kind):
    painter = open_generator(tiny(kind), guidance=4.0)
    compared = kind != "flux"
    with counted(painter) as rows:
        painter.render(batch(painter, [*WORDS, WORDS[0]], negative="ugly" if compared else ""))
        assert rows[0] == len(WORDS)
        assert rows[1:] == ([1] * len(rows[1:])) and bool(rows[1:]) == compared
        del rows[:]
        painter.render(batch(painter, WORDS[:3], negative="ugly" if compared else ""))
        assert rows == [3]


def test_so_many_prompts_are_read_at_once_as_pictures_are_painted(tiny):
    painter = open_generator(tiny("sd"), batch=3)
    with counted(painter) as rows:
        painter.render(batch(painter))
    assert rows == [3, 1]


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_long_prompts_are_read_together_too(tiny, kind):
    painter = open_generator(tiny(kind), guidance=1.0)
    words = [LONG + "red", "a cat", LONG + "blue"]
    windows = len(cut(painter._opened.pipe.tokenizer, words[0]))
    with counted(painter) as rows:
        together = painter.render(batch(painter, words))
    assert rows == [2 * windows, 1] and windows > 1
    for one, picture in zip(batch(painter, words), together, strict=True):
        assert apart(painter.render([one])[0], picture) <= 2


@pytest.mark.parametrize("kind", KNOWN)
def test_a_prompt_means_the_same_alone_and_beside_longer_ones(tiny, kind):
    reader = open_generator(tiny(kind), guidance=4.0)._reader
    asked = [Asked(words, "ugly" if kind != "flux" else "", guided=True) for words in WORDS]
    together = reader.read(asked, at_once=8)
    for one, told in zip(asked, together, strict=True):
        (alone,) = reader.read([one], at_once=8)
        assert set(alone) == set(told)
        for name in told:
            assert torch.allclose(alone[name], told[name], atol=2e-6), (kind, one.prompt, name)


def test_a_pipeline_of_no_known_family_reads_a_portion_s_texts_in_one_call(tiny):
    painter = open_generator(tiny("zimage"))
    with counted(painter) as rows:
        together = painter.render(batch(painter))
    assert rows == [len(WORDS)]
    for one, picture in zip(batch(painter), together, strict=True):
        assert apart(painter.render([one])[0], picture) <= 2


def test_few_negative_prompts_are_remembered(tiny):
    reader = open_generator(tiny("sd"), guidance=4.0)._reader
    for number in range(REMEMBERED + 5):
        reader.read([Asked("a cat", f"ugly {number}", guided=True)], at_once=8)
    assert len(reader._against) == REMEMBERED


# ---- the same after every kill --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(MAKERS))
def test_what_was_painted_before_does_not_act_on_a_batch(tiny, kind):
    """A process that was killed has forgotten what it read: it paints what the other one painted."""
    went_on, begun_again = (uneven(open_generator(tiny(kind), guidance=4.0)) for _ in range(2))
    later = batch(went_on, [WORDS[0], "a new one", WORDS[2]])
    went_on.render(batch(went_on))
    assert same(went_on.render(later), begun_again.render(later))
    assert not same(begun_again.render(later[:1]), begun_again.render(later)[:1])  # so company would be seen


@pytest.mark.parametrize("kind", ["sd", "flux", "zimage"])
def test_a_batch_amid_which_memory_ran_out_is_the_one_a_smaller_size_gives(tiny, kind):
    """Also where the first portions had fitted: what is written down is one size for the whole batch."""
    ran_out, was_told = (uneven(open_generator(tiny(kind), batch=2)) for _ in range(2))
    words = [*WORDS, "a fifth"]
    paint, calls = ran_out._brush.paint, list[int]()

    def full(strokes: Any) -> Any:
        calls.append(len(strokes))
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return paint(strokes)

    ran_out._brush.paint = full
    pictures = ran_out.render(batch(ran_out, words))
    was_told.learned_batch = ran_out.learned_batch
    assert same(pictures, was_told.render(batch(was_told, words)))
    assert calls == [2, 2, 1, 1, 1, 1, 1] and ran_out.learned_batch == 1


def test_a_text_encoder_that_runs_out_of_memory_reads_fewer_at_once(tiny):
    painter = open_generator(tiny("sd"))
    rows: list[int] = []

    def full(_module: Any, args: Any) -> None:
        rows.append(len(args[0]))
        if rows[-1] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    encoders(painter)[0].register_forward_pre_hook(full)
    assert len(painter.render(batch(painter))) == len(WORDS)
    assert rows == [4, 2, 1, 1, 1, 1] and painter.learned_batch == 1


def test_it_reads_fewer_also_where_every_picture_is_painted_by_itself(tiny):
    """With a range of guidance no two pictures go through the pipeline together; their prompts are read together."""
    painter = open_generator(tiny("sd"), guidance=[1.5, 8.0])
    genomes = [
        replace(genome, parameters={**genome.parameters, "guidance": 2.0 + number})
        for number, genome in enumerate(batch(painter))
    ]

    def full(_module: Any, args: Any) -> None:
        if len(args[0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    encoders(painter)[0].register_forward_pre_hook(full)
    assert len(painter.render(genomes)) == len(WORDS)
    assert painter.learned_batch == 2
