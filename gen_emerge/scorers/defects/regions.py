"""Takes pictures and a local object detector; gives the regions that it calls broken: hands, faces, garbled text.

An adapter, not a model: no published detector of malformed hands or letters is known to be good enough to name here.
Whoever has one (or trains one) in transformers' format puts its folder down, and says which of its labels is which
kind of defect. How good it is, only its own validation can say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from gen_emerge.errors import IN_THE_FILE, BadInput, MissingModel, ScorerFailed, nearest
from gen_emerge.models.checkpoints import digest
from gen_emerge.models.devices import choose_device
from gen_emerge.models.libraries import library
from gen_emerge.scorers.defects import Defect
from gen_emerge.scorers.quiet import quiet
from gen_emerge.scorers.single import check_options, require
from gen_emerge.types import Pixels

OPTIONS = {"model": str, "labels": dict, "threshold": float}


class Regions:
    """An object detector whose labels are defects.

    Args:
        options: model (a folder in transformers' object-detection format, safetensors), labels (its label -> the kind
            of defect, such as "bad hand" -> "hand"), threshold (0..1 of the detector's own confidence, default 0.5).
        device: where to run.

    Raises:
        BadInput: an option is wrong, the folder holds another model or lacks keys, or the model has no such label.
        MissingModel: the folder is not there.
    """

    name = "regions"

    def __init__(self, options: Mapping[str, Any], *, device: str) -> None:
        check_options("detectors.regions", options, OPTIONS, ranges={"threshold": (0.0, 1.0)})
        folder = Path(require("regions", options, "model", what="the detector's folder"))
        self._threshold = float(options.get("threshold", 0.5))
        self._device = choose_device(device)
        self._model, self._processor = _open(folder)
        self._model.to(self._device).eval()
        words = cast(dict[int, str], self._model.config.id2label)
        kinds = cast(Mapping[str, Any], options.get("labels", {}))
        for label, kind in kinds.items():
            if not isinstance(kind, str) or not kind.strip():
                raise BadInput(f'detectors.regions.labels."{label}" = {kind!r}: wanted a text.', hint=IN_THE_FILE)
        if not kinds:
            raise BadInput("regions needs labels.", hint=f"Say which of {', '.join(words.values())} is which defect.")
        for label in kinds:
            if label not in words.values():
                raise BadInput(f'The detector has no label "{label}".', hint=nearest(label, words.values()))
        self._kinds = {number: (kinds[word], word) for number, word in words.items() if word in kinds}
        told = ",".join(f"{word}={kind}" for kind, word in self._kinds.values())
        transformers: Any = library("transformers", what="regions")
        self.version = (
            f"regions-1:transformers-{transformers.__version__}:{digest(folder)[:12]}:{self._threshold}:{told}"
        )

    def find(self, images: Sequence[Pixels]) -> Sequence[Sequence[Defect]]:
        """Broken regions of each picture, the surest first."""
        return [self._of(image) for image in images]

    def _of(self, image: Pixels) -> tuple[Defect, ...]:
        torch: Any = library("torch", what="regions")
        picture: Any = library("PIL.Image", what="regions").fromarray(image)
        with torch.inference_mode():
            seen = self._processor(images=picture, return_tensors="pt").to(self._device)
            output = self._model(**seen)
        if not bool(torch.isfinite(output.logits).all()):
            raise ScorerFailed("The detector of regions gave numbers that are not finite.", hint="Fetch it again.")
        height, width = image.shape[:2]
        (found,) = self._processor.post_process_object_detection(
            output, threshold=self._threshold, target_sizes=[(height, width)]
        )
        rows = zip(found["scores"].tolist(), found["labels"].tolist(), found["boxes"].tolist(), strict=True)
        defects = [
            (score, self._kinds[label], _within(box, width, height))
            for score, label, box in rows
            if label in self._kinds
        ]
        return tuple(
            Defect(kind=kind, box=box, reason=f'The detector sees "{word}" here (its confidence: {score:.2f}).')
            for score, (kind, word), box in sorted(defects, key=lambda row: -row[0])
            if box[0] < box[2] and box[1] < box[3]
        )


def _within(box: Sequence[float], width: int, height: int) -> tuple[float, float, float, float]:
    left, top, right, bottom = (
        min(max(value / whole, 0.0), 1.0) for value, whole in zip(box, (width, height) * 2, strict=True)
    )
    return left, top, right, bottom


def _open(folder: Path) -> tuple[Any, Any]:
    transformers: Any = library("transformers", what="regions")
    if not folder.is_dir() or not any(folder.glob("*.safetensors")):
        raise MissingModel(f"{folder} is no folder with .safetensors.", hint="Name a detector in transformers' format.")
    try:
        with quiet("transformers"):
            model, told = transformers.AutoModelForObjectDetection.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, output_loading_info=True
            )
            processor = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # each of its parts has errors of its own
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise BadInput(f"{folder} cannot be opened as an object detector: {first}.") from None
    absent = sorted({*map(str, told["missing_keys"]), *(str(key) for key, *_ in told["mismatched_keys"])})
    if absent:
        raise BadInput(f"{folder} lacks {len(absent)} keys of its model: {', '.join(absent[:5])}.")
    return model, processor
