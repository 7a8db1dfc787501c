"""Takes a folder of DreamSim's files and a type; says what is missing, and refuses what may not be opened.

The package would download whatever is not there, and opens pickled backbones; both are settled before it is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gen_emerge.errors import BadInput, MissingModel, nearest
from gen_emerge.models.checkpoints import digest
from gen_emerge.scorers.options import must_be_trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What one `dreamsim_type` needs in its folder.

    Args:
        backbones: pickled checkpoints.
        adapter: the folder of the LoRA that was trained on human judgements.
        code: folders of torch.hub code that is executed; () for none.
    """

    backbones: tuple[str, ...]
    adapter: str
    code: tuple[str, ...] = ()


_DINO = ("dino_vitb16_pretrain.pth", "checkpoints/dino_vitbase16_pretrain.pth")
_DINO2 = ("dinov2_vitb14_pretrain.pth", "checkpoints/dinov2_vitb14_pretrain.pth")
_DINO_CODE = ("facebookresearch_dino_main",)
_DINO2_CODE = ("facebookresearch_dinov2_main",)

KINDS: Mapping[str, Kind] = {
    "open_clip_vitb32": Kind(backbones=("open_clip_vitb32_pretrain.pth.tar",), adapter="open_clip_vitb32_single_lora"),
    "clip_vitb32": Kind(backbones=("clip_vitb32_pretrain.pth.tar",), adapter="clip_vitb32_single_lora"),
    "synclr_vitb16": Kind(backbones=("synclr_vit_b_16.pth",), adapter="synclr_vitb16_single_lora"),
    "dino_vitb16": Kind(backbones=_DINO, adapter="dino_vitb16_single_lora", code=_DINO_CODE),
    "dinov2_vitb14": Kind(backbones=_DINO2, adapter="dinov2_vitb14_single_lora", code=_DINO2_CODE),
    "dino_vitb16_patch": Kind(backbones=_DINO, adapter="dino_vitb16_patch_lora", code=_DINO_CODE),
    "dinov2_vitb14_patch": Kind(backbones=_DINO2, adapter="dinov2_vitb14_patch_lora", code=_DINO2_CODE),
    "ensemble": Kind(
        backbones=(*_DINO, "clip_vitb16_pretrain.pth.tar", "open_clip_vitb16_pretrain.pth.tar"),
        adapter="ensemble_lora",
        code=_DINO_CODE,
    ),
}
"""Every type of dreamsim 0.2, the two patch models under a type of their own."""


def check(where: str, name: str, folder: Path, *, allow_hub_code: bool, pins: Mapping[str, str]) -> str:
    """Make sure that a type can be opened without a download and without code nobody allowed.

    Args:
        where: the table, such as "scorers.novelty", for errors.
        name: a key of `KINDS`.
        folder: the package's `cache_dir`.
        allow_hub_code: whether code from the folder may be executed.
        pins: file name, relative to the folder -> SHA-256, of every pickled file.

    Returns:
        A digest of everything that acts on a number, 64 hex digits.

    Raises:
        BadInput: an unknown type; hub code that is not allowed; a pickled file without its pinned hash.
        MissingModel: a file is missing.
    """
    if name not in KINDS:
        raise BadInput(f'{where}.type = "{name}" is no type of DreamSim.', hint=nearest(name, KINDS))
    kind = KINDS[name]
    if kind.code and not allow_hub_code:
        raise BadInput(
            f'{where}.type = "{name}" executes code from {folder / kind.code[0]} (torch.hub).',
            hint='Read that code and write allow_hub_code = true; or take type = "open_clip_vitb32", which needs none.',
        )
    adapter = _adapter(folder / kind.adapter)
    wanted = [
        *(folder / backbone for backbone in kind.backbones),
        folder / kind.adapter / "adapter_config.json",
        adapter,
        *(folder / code / "hubconf.py" for code in kind.code),
    ]
    missing = [str(path.relative_to(folder)) for path in wanted if not path.is_file()]
    if missing:
        raise MissingModel(
            f"DreamSim {name}: {folder} lacks {', '.join(missing)}.",
            hint="Fetch it: gen-emerge models pull --series NAME",
        )
    files = [path for path in wanted if path.name != "hubconf.py"]
    for path in files:
        if path.suffix not in (".safetensors", ".json"):
            name = path.relative_to(folder).as_posix()
            pin = pins.get(name) or pins.get(path.name)
            must_be_trusted(path, pin, write=f'sha256 = {{ "{name}" = "..." }} beside weights')
    for code in kind.code:
        files += sorted((folder / code).rglob("*.py"))
    whole = hashlib.sha256()
    for path in files:
        whole.update(f"{path.relative_to(folder).as_posix()}\0{digest(path)}\n".encode())
    return whole.hexdigest()


def _adapter(folder: Path) -> Path:
    pickled = folder / "adapter_model.bin"
    safe = folder / "adapter_model.safetensors"
    return pickled if pickled.is_file() and not safe.is_file() else safe
