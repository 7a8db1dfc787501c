"""Takes the name of a shipped network; gives it opened in ONNX Runtime, its card and the hash of its files.

Options are fixed so that the same input gives the same numbers: sequential execution on the CPU, no spinning threads,
no memory patterns that depend on earlier shapes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from gen_emerge.errors import BadInput

FOLDER = Path(__file__).parent


class Network:
    """One shipped network: `<name>.onnx`, its facts `<name>.json`, and any further files that its numbers depend on.

    Args:
        name: "trunk" or "quality".
        threads: intra-op threads.
        beside: further files in the same folder that belong to the hash.
    """

    def __init__(self, name: str, *, threads: int = 1, beside: tuple[str, ...] = ()) -> None:
        files = [FOLDER / f"{name}.onnx", FOLDER / f"{name}.json", *(FOLDER / other for other in beside)]
        for file in files:
            if not file.is_file():
                raise BadInput(
                    f'The embedded scorer "{name}" lacks its file {file.name}.',
                    hint="Reinstall gen-emerge, or run `python experiments/train_embedded.py`.",
                )
        digest = hashlib.sha256()
        for file in files:
            digest.update(file.read_bytes())
        self.hash = digest.hexdigest()[:12]
        self.card = cast("dict[str, Any]", json.loads(files[1].read_text(encoding="utf-8")))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.enable_mem_pattern = False
        options.use_deterministic_compute = True
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            files[0].read_bytes(), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, planes: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network: its one input, the batch first; all its outputs, in order."""
        outputs = self._session.run(None, {"planes": planes})
        return [np.asarray(cast(Any, output), dtype=np.float32) for output in outputs]
