"""Takes images and prompts; gives ImageReward (Xu et al. 2023, arXiv:2304.05977), through its own package, unmodified.

A BLIP (ViT-L and BERT with cross-attention) trained on experts' rankings of images of one prompt; about -2..2, mean 0
and deviation 1 over its authors' prompts. **Compared only within one prompt.** Known bias: pictures of one early
diffusion model, and only the first 35 tokens of a prompt are read; 65.1% of the choices of its own test set.

The package was written for libraries of years ago. What it needs of them and no longer finds is all in this file, put
in place only while it is imported or built, and taken away again.
"""

from __future__ import annotations

import json
import sys
import threading
import types
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.errors import BadInput, MissingModel
from gen_emerge.models.checkpoints import digest, fit, load_weights
from gen_emerge.models.devices import choose_device
from gen_emerge.models.libraries import library
from gen_emerge.scorers.single import SingleSignal, check_options, require
from gen_emerge.types import Pixels

OPTIONS = {"weights": str, "sha256": str, "med_config": str, "tokenizer": str, "batch": (int, str)}
FETCH = "gen-emerge models pull imagereward"
TOKENS = 35
"""How much of a prompt the original reads."""
_lock = threading.RLock()


def load_imagereward(options: Mapping[str, Any], *, device: str) -> SingleSignal:
    """Open ImageReward from its checkpoint.

    Args:
        options: weights (`ImageReward.pt`, pinned; or converted to safetensors), sha256, med_config (default:
            `med_config.json` beside the weights), tokenizer (a folder with `bert-base-uncased`'s tokenizer), batch.
        device: where to run.

    Returns:
        A scorer of the signal `imagereward`. Text beyond 35 tokens is not read: the version says so.

    Raises:
        BadInput: an option is wrong, or a key of the checkpoint is missing.
        MissingModel: a file is not there.
    """
    check_options("scorers.extra.imagereward", options, OPTIONS)
    path = Path(require("imagereward", options, "weights", what="the checkpoint's file"))
    tokenizer = Path(require("imagereward", options, "tokenizer", what="the folder of bert-base-uncased's tokenizer"))
    config = Path(options.get("med_config", path.parent / "med_config.json"))
    for wanted in (path, config, tokenizer):
        if not wanted.exists():
            raise MissingModel(f"There is no {wanted}; imagereward needs it.", hint=FETCH)
    weights = load_weights(path, pinned=options.get("sha256"))
    place = choose_device(device)
    model = _build(config, tokenizer, place)
    _fill(model, weights, what=str(path))
    del weights
    model = model.to(place).eval()
    picture: Any = library("PIL.Image", what="imagereward").fromarray

    def measure(images: Sequence[Pixels], prompts: Sequence[str]) -> NDArray[np.float32]:
        torch: Any = library("torch", what="imagereward")
        with torch.inference_mode():
            planes = torch.stack([model.preprocess(picture(image)) for image in images]).to(place)
            text = model.blip.tokenizer(
                list(prompts), padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt"
            ).to(place)
            # The package's own name for the batched form of `score`.
            return model.score_gard(text.input_ids, text.attention_mask, planes).float().cpu().numpy()

    from importlib.metadata import version

    parts = f"{digest(path)[:12]}:config-{digest(config)[:8]}:tokenizer-{digest(tokenizer)[:8]}"
    told = f"imagereward-1:image-reward-{version('image-reward')}:{parts}:{TOKENS}-tokens"
    return SingleSignal("imagereward", told, measure, device=place, batch=options.get("batch", "auto"), network=model)


def _fill(model: Any, weights: Mapping[str, Any], *, what: str) -> None:
    """Every key of the model from the file. The package itself would leave missing ones random and say nothing.

    What the file has beside them is passed over, as the package does.
    """
    own = model.state_dict()
    known = {name: value for name, value in weights.items() if name in own}
    fit(model, known, what=what, ignore=("blip.text_encoder.embeddings.position_ids",))


def _build(config: Path, tokenizer: Path, device: Any) -> Any:
    """The package's module with random weights and the local tokenizer."""
    with _lock:
        package, pretrain, med = _imported()
        _mend(med.BertModel)
        words = _vocabulary(config)
        published, pretrain.init_tokenizer = pretrain.init_tokenizer, lambda: _tokenizer(tokenizer, words=words)
        try:
            return package.ImageReward(med_config=str(config), device=device)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise BadInput(f"{config} does not describe ImageReward's text encoder: {error}.", hint=FETCH) from None
        finally:
            pretrain.init_tokenizer = published


def _vocabulary(config: Path) -> int:
    """How many words the text encoder knows."""
    try:
        return int(json.loads(config.read_text(encoding="utf-8"))["vocab_size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{config} does not describe ImageReward's text encoder: {error}.", hint=FETCH) from None


def _tokenizer(folder: Path, *, words: int) -> Any:
    """BERT's tokenizer with BLIP's two further tokens; `words` of them in all."""
    transformers: Any = library("transformers", what="imagereward")
    try:
        made = transformers.BertTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # the library has errors of its own for each missing part
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise BadInput(f"{folder} holds no BERT tokenizer: {first}.", hint=FETCH) from None
    made.add_special_tokens({"bos_token": "[DEC]"})
    made.add_special_tokens({"additional_special_tokens": ["[ENC]"]})
    made.enc_token_id = made.convert_tokens_to_ids("[ENC]")
    # From a folder without a vocabulary the library makes a tokenizer that knows nothing, and says nothing.
    if len(made) != words:
        raise BadInput(f"{folder} holds no BERT tokenizer that fits: {len(made)} words, wanted {words}.", hint=FETCH)
    return made


# ---- what today's libraries no longer have -----------------------------------------------------------------------


def _imported() -> tuple[Any, Any, Any]:
    """The package's modules ImageReward, blip_pretrain and med."""
    modeling: Any = library("transformers.modeling_utils", what="imagereward")
    logging: Any = library("transformers.utils.logging", what="imagereward")
    spoken = logging.get_verbosity()
    # Importing it sets filters for all warnings and the verbosity of transformers: both are put back.
    with warnings.catch_warnings(), _attributes(modeling), _modules():
        warnings.simplefilter("ignore")
        try:
            return tuple(  # pyright: ignore[reportReturnType]
                library(f"ImageReward.{name}", what="imagereward")
                for name in ("ImageReward", "models.BLIP.blip_pretrain", "models.BLIP.med")
            )
        finally:
            logging.set_verbosity(spoken)


@contextmanager
def _attributes(modeling: Any) -> Generator[None]:
    """Names that moved or went from `transformers.modeling_utils`, while the package is imported."""
    moved: Any = library("transformers.pytorch_utils", what="imagereward")
    wanted = ("apply_chunking_to_forward", "prune_linear_layer", "find_pruneable_heads_and_indices")
    lent = [name for name in wanted if not hasattr(modeling, name)]
    for name in lent:
        setattr(modeling, name, getattr(moved, name, _pruning))
    try:
        yield
    finally:
        for name in lent:
            delattr(modeling, name)


def _pruning(*_: Any, **__: Any) -> Any:
    raise NotImplementedError("heads are never pruned here")


@contextmanager
def _modules() -> Generator[None]:
    """Modules that the package imports and that scoring does not use, while it is imported."""
    wrapper = types.ModuleType("fairscale.nn.checkpoint.checkpoint_activations")
    wrapper.__dict__["checkpoint_wrapper"] = _same  # saves memory in training; ViT-L is built without it
    lent = {
        "clip": types.ModuleType("clip"),
        "fairscale": types.ModuleType("fairscale"),
        "fairscale.nn": types.ModuleType("fairscale.nn"),
        "fairscale.nn.checkpoint": types.ModuleType("fairscale.nn.checkpoint"),
        "fairscale.nn.checkpoint.checkpoint_activations": wrapper,
        "ImageReward.ReFL": types.ModuleType("ImageReward.ReFL"),  # training a generator; needs `datasets`
    }
    before = {name: sys.modules.get(name) for name in lent}
    sys.modules.update(lent)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


def _same(module: Any, **_: Any) -> Any:
    return module


def _mend(bert: Any) -> None:
    """Give the package's own BERT the four methods that its base class no longer has."""
    if "get_head_mask" in vars(bert):
        return
    bert.get_head_mask = _no_heads_masked
    bert.invert_attention_mask = _inverted
    bert.init_weights = _left_as_they_are
    bert.all_tied_weights_keys = {}


def _no_heads_masked(self: Any, mask: Any, layers: int) -> list[None]:
    return [None] * layers


def _left_as_they_are(self: Any) -> None:
    """All weights are replaced afterwards, and that is checked."""


def _inverted(self: Any, mask: Any) -> Any:
    """(n, tokens) of 1 and 0 -> (n, 1, 1, tokens) of 0 and the least number, added before a softmax."""
    torch: Any = library("torch", what="imagereward")
    rows = mask[:, None, None, :] if mask.dim() == 2 else mask[:, None, :, :]
    return (1.0 - rows.to(self.dtype)) * torch.finfo(self.dtype).min
