"""Takes what a series file says of a CLIP model; gives open_clip's model, every weight read from a file that is here.

open_clip would fetch a tag's weights, and with none it goes on with random ones. Here the file is found first, its hash
is taken, and anything that would leave a weight random is refused.
"""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen_emerge.errors import BadInput, MissingModel, nearest
from gen_emerge.models.checkpoints import digest
from gen_emerge.models.libraries import library
from gen_emerge.scorers.options import must_be_trusted
from gen_emerge.types import content_hash

if TYPE_CHECKING:
    from collections.abc import Generator

_CONFIG_NAMES = ("open_clip_config.json", "open_clip_model_config.json")
_WEIGHT_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A CLIP model on this disk.

    Args:
        name: as in the series file, such as "ViT-B-32".
        weights: the file.
        config: `{"model_cfg": ..., "preprocess_cfg": ...}` as open_clip's own folders hold it.
        pinned: the SHA-256 a pickled file must have, or None.
    """

    name: str
    weights: Path
    config: Mapping[str, Any]
    pinned: str | None

    @property
    def key(self) -> str:
        """Equal for two tables that mean the same model: they share one tower."""
        return f"{digest(self.weights)}:{content_hash(self.config)}"


def find(where: str, options: Mapping[str, Any]) -> Found:
    """Find the weights and the configuration that `model`, `weights`, `config` and `sha256` mean.

    Args:
        where: the table, such as "scorers.prompt", for errors.
        options: `weights` (a file, a folder of open_clip's, or one of open_clip's tags for this model); `model` (a name
            open_clip knows; needless where a configuration lies beside the weights); `config` (a model configuration,
            JSON); `sha256` (pins a pickled file).

    Raises:
        BadInput: no weights are named, or the model or tag is unknown.
        MissingModel: the files are not here.
    """
    open_clip = library("open_clip", what='The scorer "clip"')
    name, weights = str(options.get("model", "")), str(options.get("weights", ""))
    pinned = str(options["sha256"]) if options.get("sha256") else None
    if not weights:
        raise BadInput(
            f"{where}.weights is not set; without weights CLIP would be random.",
            hint="Name a file, or a tag: open_clip's list of pretrained models has them.",
        )
    path = Path(weights).expanduser()
    if path.is_dir():
        path = _in_folder(path)
    if not path.is_file():
        return _tagged(where, open_clip, name, weights, pinned)
    return Found(
        name=name or path.stem, weights=path, config=_config(where, open_clip, name, path, options), pinned=pinned
    )


def _in_folder(folder: Path) -> Path:
    for name in _WEIGHT_NAMES:
        if (folder / name).is_file():
            return folder / name
    raise MissingModel(f"{folder} holds no {_WEIGHT_NAMES[0]}.", hint="Name the weights' file itself.")


def _config(where: str, open_clip: Any, name: str, weights: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration given, else the one beside the weights, else open_clip's own of that name."""
    beside = [weights.with_suffix(".json"), *(weights.parent / known for known in _CONFIG_NAMES)]
    given = [Path(str(options["config"])).expanduser()] if options.get("config") else []
    for path in given or [path for path in beside if path.is_file()]:
        return _read_config(path)
    known = open_clip.get_model_config(name) if name else None
    if known is None:
        raise BadInput(
            f'{where}.model = "{name}" is no model of open_clip, and no configuration lies beside {weights}.',
            hint=nearest(name, open_clip.list_models()) if name else f"Put {weights.stem}.json beside the weights.",
        )
    return {"model_cfg": known, "preprocess_cfg": {}}


def _read_config(path: Path) -> dict[str, Any]:
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingModel(f"There is no configuration {path}.", hint="Fetch it beside the weights.") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is no JSON: {error}.", hint="Name an open_clip model configuration.") from None
    config: Any = read if isinstance(read, dict) and "model_cfg" in read else {"model_cfg": read}
    model = config["model_cfg"]
    if not isinstance(model, dict) or not {"embed_dim", "vision_cfg", "text_cfg"} <= set(model):  # pyright: ignore[reportUnknownArgumentType]
        raise BadInput(
            f"{path} is no open_clip model configuration: it has no embed_dim, vision_cfg and text_cfg.",
            hint="Take the one the weights came with.",
        )
    return {"model_cfg": model, "preprocess_cfg": config.get("preprocess_cfg") or {}}


def _tagged(where: str, open_clip: Any, name: str, tag: str, pinned: str | None) -> Found:
    """The weights of one of open_clip's tags, if the hub's cache on this disk has them."""
    known = open_clip.get_model_config(name) if name else None
    tags: list[str] = open_clip.list_pretrained_tags_by_model(name) if known is not None else []
    if known is None:
        raise BadInput(
            f'{where}.model = "{name}" is no model of open_clip.', hint=nearest(name, open_clip.list_models())
        )
    if tag not in tags:
        raise MissingModel(
            f'{where}.weights = "{tag}" is neither a file nor a tag of {name}.', hint=nearest(tag, tags or ["a file"])
        )
    about: Mapping[str, Any] = open_clip.get_pretrained_cfg(name, tag)
    quick = bool(about.get("quick_gelu", False))
    if quick != bool(known.get("quick_gelu", False)):
        raise BadInput(
            f'The weights "{tag}" were trained {"with" if quick else "without"} QuickGELU, unlike {name}.',
            hint=f'Write model = "{name}-quickgelu".' if quick else "Choose the plain model's name.",
        )
    sizes = {key: about[key] for key in ("mean", "std", "interpolation", "resize_mode") if about.get(key)}
    return Found(
        name=name,
        weights=_cached(where, tag, str(about.get("hf_hub", ""))),
        config={"model_cfg": known, "preprocess_cfg": sizes},
        pinned=pinned,
    )


def _cached(where: str, tag: str, place: str) -> Path:
    hub = library("huggingface_hub", what='The scorer "clip"')
    repository, _, file = place.rpartition("/")
    names = [file] if file else ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"]
    if file.endswith((".bin", ".pth")):
        names.insert(0, file[:-4] + ".safetensors")
    for name in names if repository else []:
        found = hub.try_to_load_from_cache(repository, name)
        if isinstance(found, str):
            return Path(found)
    source = f"{repository} on the hub" if repository else "no place on the hub"
    raise MissingModel(
        f'{where}.weights = "{tag}": its weights ({source}) are not on this disk.',
        hint="Fetch them: gen-emerge models pull --series NAME",
    )


def build(found: Found) -> tuple[Any, Any, Any]:
    """Open the model through open_clip.

    Returns:
        The model in evaluation mode on the CPU, float32; its preprocessing (a picture -> (3, h, w)); its tokenizer.

    Raises:
        BadInput: the weights are pickled and not pinned, damaged, or do not fit; missing weights are named.
    """
    open_clip = library("open_clip", what='The scorer "clip"')
    if found.weights.suffix != ".safetensors":
        must_be_trusted(found.weights, found.pinned, write='sha256 = "..." beside weights')
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "open_clip_config.json").write_text(json.dumps(dict(found.config)), encoding="utf-8")
        source = f"local-dir:{folder}"
        try:
            with _quiet():
                # Nothing is loaded here, and no part is fetched: `load_checkpoint` then fits every weight, strictly.
                model, _, preprocess = open_clip.create_model_and_transforms(
                    source, load_weights=False, pretrained_image=False, pretrained_text=False
                )
                tokenizer = open_clip.get_tokenizer(_tokenizer_source(found, source))
        except Exception as error:  # whatever an architecture that does not add up raises
            raise BadInput(
                f"open_clip cannot build {found.name}: {_short(error)}.", hint="Check the model configuration."
            ) from None
    try:
        open_clip.load_checkpoint(model, str(found.weights), strict=True, weights_only=True)
    except Exception as error:  # safetensors, pickle, zip and torch have errors of their own
        raise BadInput(
            f"{found.weights} is not {found.name}: {_short(error)}.",
            hint="It is damaged, or another model's. Name the right model, or fetch the file again.",
        ) from None
    return model.eval().requires_grad_(False), preprocess, tokenizer


def _tokenizer_source(found: Found, source: str) -> str:
    """A tokenizer of transformers' lies beside the weights; open_clip's own vocabulary is in its package."""
    if found.config["model_cfg"].get("text_cfg", {}).get("hf_tokenizer_name"):
        beside = found.weights.parent
        if (beside / "open_clip_config.json").is_file():
            return f"local-dir:{beside}"
        return found.name
    return found.name if "siglip" in found.name.lower() else source


@contextmanager
def _quiet() -> Generator[None]:
    """Without open_clip's remark that nothing was loaded: the next line loads it."""

    def wanted(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(("No pretrained weights loaded", "Local config loaded, but no CLIP"))

    root = logging.getLogger()
    root.addFilter(wanted)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.removeFilter(wanted)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return (text if len(text) <= 400 else text[:400] + " ...").rstrip(".")
