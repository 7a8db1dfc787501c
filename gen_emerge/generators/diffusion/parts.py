"""Takes a checkpoint's folder; gives its pipeline with every weight from the files, none left random."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gen_emerge.errors import BadInput
from gen_emerge.generators.diffusion.folder import read_index, variant_of
from gen_emerge.models.libraries import library

if TYPE_CHECKING:
    import torch

WHO = 'The generator "diffusion"'
_SPARED = ("text_encoder_3", "tokenizer_3", "image_encoder", "feature_extractor", "safety_checker")
"""Parts that pipelines do without; where a checkpoint leaves one out, that must be said when it is loaded."""
_NAMED = 5


def load_pipeline(folder: Path, dtype: torch.dtype) -> Any:
    """The text-to-image pipeline of a folder, on the CPU.

    Raises:
        BadInput: it cannot be loaded, or weights are missing in it.
    """
    diffusers: Any = library("diffusers", what=WHO)
    quiet(diffusers)
    index = read_index(folder)
    kind: Any = getattr(diffusers, index["_class_name"], None)
    if kind is None:
        raise BadInput(
            f"{folder} is made for {index['_class_name']}, which diffusers {diffusers.__version__} does not have.",
            hint="Another release of diffusers may have it, or name another checkpoint.",
        )
    common: dict[str, Any] = {"dtype": dtype, "use_safetensors": True, "local_files_only": True}
    spared = [name for name in _SPARED if name in _expected(kind) and not any(index.get(name) or ())]
    given: dict[str, Any] = dict.fromkeys(spared)
    if "add_watermarker" in _expected(kind):
        given["add_watermarker"] = False  # else pixels would depend on whether another library is installed
    try:
        given |= _modules(folder, index, common)
        rest = [folder / name for name in index if not name.startswith("_") and name not in given]
        common["variant"] = variant_of(*rest)
        return diffusers.AutoPipelineForText2Image.from_pretrained(str(folder), **common, **given)
    except BadInput:
        raise
    except Exception as error:  # every library has its own errors for files that are wrong
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise BadInput(
            f"{folder} cannot be loaded as a text-to-image pipeline: {lines[0].rstrip('.')[:300]}.",
            hint="Fetch the checkpoint again, or name another; gen-emerge models verify says which file is damaged.",
        ) from error


def _expected(kind: Any) -> set[str]:
    import inspect

    return set(inspect.signature(kind.__init__).parameters)


def _modules(folder: Path, index: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """Networks loaded one by one, because the libraries only warn of a weight that is missing and leave it random."""
    found: dict[str, Any] = {}
    for name, entry in index.items():
        if name.startswith("_") or not isinstance(entry, list):
            continue
        origin, kind = cast(list[Any], entry)
        if origin not in ("diffusers", "transformers") or not any((folder / name).glob("*.safetensors")):
            continue
        made: Any = getattr(library(origin, what=WHO), kind)
        variant = variant_of(folder / name)
        module, told = made.from_pretrained(str(folder / name), output_loading_info=True, variant=variant, **common)
        missing = sorted(str(key) for key in told.get("missing_keys", ()))
        if missing:
            shown = ", ".join(missing[:_NAMED])
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            raise BadInput(
                f"{folder / name} lacks {len(missing)} weights of {kind}: {shown}{more}.",
                hint="Fetch the checkpoint again: weights that are missing would be random.",
            )
        found[name] = module.eval()
    return found


def quiet(diffusers: Any) -> None:
    """Bars and advice of the libraries have no place in a run of thousands of pictures; errors still are shown."""
    transformers: Any = library("transformers", what=WHO)
    for logging in (diffusers.utils.logging, transformers.utils.logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()
