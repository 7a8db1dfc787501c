"""Takes checked options; gives a pipeline ready to paint, and a version that names all that acts on pixels."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen_emerge.errors import BadInput, MissingModel, nearest
from gen_emerge.generators.diffusion.folder import find_folder, read_index, weight_files
from gen_emerge.generators.diffusion.options import Options
from gen_emerge.generators.diffusion.parts import WHO, load_pipeline
from gen_emerge.generators.diffusion.portions import memory
from gen_emerge.models.checkpoints import digest
from gen_emerge.models.devices import choose_device, choose_dtype
from gen_emerge.models.libraries import library

if TYPE_CHECKING:
    import torch

GIB = 1 << 30
SMALL_CARD = 8 * GIB
"""Below this a decoder works in tiles unless the series says otherwise."""
WORKSPACE = 2 * GIB
"""Beside the weights, for one picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A checkpoint at work.

    Args:
        pipe: text to image.
        variations: image to image on the same weights, None where the library has none for this kind.
        folder: of the checkpoint.
        device: where it paints.
        dtype: number format.
        weights: bytes of the model on the device.
        version: names all that acts on pixels.
    """

    pipe: Any
    variations: Any = field(repr=False)
    folder: Path
    device: torch.device
    dtype: torch.dtype
    weights: int
    version: str


def open_checkpoint(options: Options) -> Opened:
    """Load everything a series names, or say what is wrong with it, before anything is rendered.

    Raises:
        MissingExtra: torch or diffusers is not installed.
        MissingModel: the checkpoint or a LoRA is not on this disk.
        BadInput: something cannot be used as it is.
    """
    folder = find_folder(options.model, options.revision)
    for lora in options.loras:
        _check_lora(lora.file)
    device = choose_device(options.device)
    dtype = number_format(options.dtype, folder, device)
    make_repeatable(device)
    pipe = load_pipeline(folder, dtype)
    scheduler = _choose_scheduler(pipe, options.scheduler)
    _load_loras(pipe, options)
    weights = sum(file.stat().st_size for file in weight_files(folder))
    tiled = _decode_thriftily(pipe, options, device)
    on_device = _place(pipe, options, device, weights)
    if options.compile:
        _compile(pipe)
    return Opened(
        pipe=pipe,
        variations=_variations(pipe),
        folder=folder,
        device=device,
        dtype=dtype,
        weights=on_device,
        version=_version(options, folder, scheduler, dtype, tiled),
    )


def number_format(word: str, folder: Path, device: torch.device) -> torch.dtype:
    """The number format of a checkpoint; "auto" on CUDA depends on what it is made of.

    A UNet is at home in float16, where a picture alone and in a batch differ by at most 2 levels of 255; in bfloat16 it
    was up to 14. Transformers overflow in float16 and take what the device is made for.
    """
    if word == "auto" and device.type == "cuda" and "unet" in read_index(folder):
        return choose_dtype("float16", device)
    return choose_dtype(word, device)


def make_repeatable(device: torch.device) -> None:
    """Have CUDA use kernels that give the same numbers every time; elsewhere they do already."""
    if device.type != "cuda":
        return
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def _choose_scheduler(pipe: Any, name: str) -> str:
    own = type(pipe.scheduler).__name__
    if name in ("auto", own):
        return own
    fitting = {kind.__name__: kind for kind in pipe.scheduler.compatibles}
    if name not in fitting:
        raise BadInput(
            f'generator.scheduler = "{name}" does not fit {type(pipe).__name__}, whose own is {own}.',
            hint=nearest(name, ["auto", own, *sorted(fitting)]),
        )
    try:
        pipe.scheduler = fitting[name].from_config(pipe.scheduler.config)
    except (ImportError, ValueError, TypeError) as error:
        raise BadInput(
            f'generator.scheduler = "{name}" cannot take this checkpoint\'s settings: {error}.',
            hint='Write scheduler = "auto".',
        ) from error
    return name


def _check_lora(file: Path) -> None:
    if file.suffix != ".safetensors":
        raise BadInput(f"The LoRA {file} is no safetensors file.", hint="Convert it, or name another.")
    if not file.is_file():
        raise MissingModel(f"There is no LoRA {file}.", hint="Put it there, or take it out of generator.loras.")


def _load_loras(pipe: Any, options: Options) -> None:
    if not options.loras:
        return
    library("peft", what="A LoRA")
    names: list[str] = []
    for number, lora in enumerate(options.loras):
        name = f"lora_{number}"
        try:
            pipe.load_lora_weights(str(lora.file.parent), weight_name=lora.file.name, adapter_name=name)
        except Exception as error:  # peft, safetensors and the pipeline each have errors of their own
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise BadInput(f"The LoRA {lora.file} cannot be loaded: {lines[0][:300]}", hint=_OTHER_LORA) from error
        if not any(name in adapters for adapters in pipe.get_list_adapters().values()):
            raise BadInput(f"The LoRA {lora.file} fits nothing in {type(pipe).__name__}.", hint=_OTHER_LORA)
        names.append(name)
    pipe.set_adapters(names, adapter_weights=[lora.weight for lora in options.loras])


_OTHER_LORA = "It is damaged, or was made for another kind of checkpoint."


def _decode_thriftily(pipe: Any, options: Options, device: torch.device) -> bool:
    """Slicing and tiling of the decoder; gives whether it works in tiles, whose seams act on pixels."""
    total = memory(device)
    small = total is not None and total < SMALL_CARD
    vae = getattr(pipe, "vae", None)
    if (small if options.slicing == "auto" else options.slicing) and hasattr(vae, "enable_slicing"):
        pipe.vae.enable_slicing()
    tiled = (small if options.tiling == "auto" else options.tiling) and hasattr(vae, "enable_tiling")
    if tiled:
        pipe.vae.enable_tiling()
    return tiled


def _place(pipe: Any, options: Options, device: torch.device, weights: int) -> int:
    """Bring the model to its device, or arrange that its parts come and go; gives the bytes it holds there."""
    mode = options.offload if device.type == "cuda" else "none"
    total = memory(device)
    sizes = [sum(p.numel() * p.element_size() for p in part.parameters()) for part in _networks(pipe)]
    weights = sum(sizes) or weights
    if mode == "auto" and total is not None:
        largest = max(sizes, default=0)
        mode = "none" if weights + WORKSPACE < total else "model" if largest + WORKSPACE < total else "sequential"
    if mode == "model":
        pipe.enable_model_cpu_offload(device=device)
        return max(sizes, default=0)
    if mode == "sequential":
        pipe.enable_sequential_cpu_offload(device=device)
        return 0
    pipe.to(device)
    return weights


def _networks(pipe: Any) -> list[Any]:
    return [part for part in pipe.components.values() if hasattr(part, "parameters")]


def _compile(pipe: Any) -> None:
    import torch

    for name in ("unet", "transformer"):
        if getattr(pipe, name, None) is not None:
            setattr(pipe, name, torch.compile(getattr(pipe, name)))


def _variations(pipe: Any) -> Any:
    diffusers: Any = library("diffusers", what=WHO)
    try:
        return diffusers.AutoPipelineForImage2Image.from_pipe(pipe)
    except (ValueError, TypeError, AttributeError):  # its way to say that this kind has none
        return None


def _version(options: Options, folder: Path, scheduler: str, dtype: torch.dtype, tiled: bool) -> str:
    diffusers: Any = library("diffusers", what=WHO)
    torch: Any = library("torch", what=WHO)
    low, high = options.guidance
    words = [
        f"diffusers-{diffusers.__version__}",
        # One release of torch draws other half-precision noise from a seed than another: seen between 2.11 and 2.15.
        f"torch-{torch.__version__.partition('+')[0]}",
        digest(folder)[:12],
        scheduler,
        f"{options.steps}-steps",
        f"guidance-{low:g}" if low == high else f"guidance-{low:g}-{high:g}",
        str(dtype).removeprefix("torch."),
        *(f"lora-{digest(lora.file)[:12]}@{lora.weight:g}" for lora in options.loras),
        *(["tiled"] if tiled else []),
        *(["compiled"] if options.compile else []),
    ]
    return ":".join(words)
