"""Long prompts for CLIP: takes texts and a pipeline of Stable Diffusion 1, 2 or XL; gives their embeddings.

CLIP reads window after window (77 tokens, two of them marks); what it says of them is put side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def encoders(pipe: Any) -> list[tuple[Any, Any]]:
    """(tokenizer, text encoder) pairs whose words are put side by side."""
    pairs = [(pipe.tokenizer, pipe.text_encoder), (getattr(pipe, "tokenizer_2", None), _second(pipe))]
    return [(made, encoder) for made, encoder in pairs if encoder is not None]


def _second(pipe: Any) -> Any:
    return getattr(pipe, "text_encoder_2", None)


def in_windows(pipe: Any, texts: Sequence[str], count: int) -> dict[str, Any]:
    """Embeddings of texts, all their windows in one call of each encoder.

    Args:
        pipe: whose encoders.
        texts: (n,) texts of at most `count` windows.
        count: windows of each; what a text lacks are empty ones.

    Returns:
        "prompt_embeds" (n, count * 77, d), and for SDXL "pooled_prompt_embeds" (n, d), of each text's first window.
    """
    import torch

    two = _second(pipe) is not None
    told: dict[str, Any] = {}
    sides: list[Any] = []
    for made, encoder in encoders(pipe):
        ids = torch.tensor([window for text in texts for window in windows(made, text, count)])
        out = encoder(ids.to(pipe._execution_device), output_hidden_states=True)
        words = out.hidden_states[-2] if two else out[0]
        sides.append(words.reshape(len(texts), count * words.shape[1], -1))
        if two:
            told["pooled_prompt_embeds"] = out[0].reshape(len(texts), count, *out[0].shape[1:])[:, 0]  # the last stands
    told["prompt_embeds"] = torch.cat(sides, dim=-1)
    return told


def windows(made: Any, text: str, count: int = 1) -> list[list[int]]:
    """A text's tokens in windows of the encoder's length, at least `count` of them, each begun, ended and filled up."""
    ids = list(made(text, truncation=False, add_special_tokens=False).input_ids)
    inner = made.model_max_length - 2
    pieces = [ids[place : place + inner] for place in range(0, len(ids), inner)] or [[]]
    pieces += [[] for _ in range(count - len(pieces))]
    fill = made.pad_token_id if made.pad_token_id is not None else made.eos_token_id
    return [[made.bos_token_id, *piece, made.eos_token_id, *[fill] * (inner - len(piece))] for piece in pieces]
