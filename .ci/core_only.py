"""Import every module of the package in an environment without extras and without development tools.

Exit code 1 when a module needs something that the core does not bring, or when importing pulled in an optional library.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import traceback

OPTIONAL = (
    *("ImageReward", "accelerate", "anthropic", "diffusers", "dreamsim", "fastapi", "h5py", "huggingface_hub", "lpips"),
    *(
        "matplotlib",
        "open_clip",
        "peft",
        "pytest",
        "ray",
        "safetensors",
        "timm",
        "torch",
        "torchmetrics",
        "torchvision",
    ),
    *("transformers", "uvicorn"),
)


def main() -> int:
    """Walk the package and import it all."""
    import gen_emerge

    present = [name for name in OPTIONAL if importlib.util.find_spec(name) is not None]
    if present:
        print(f"this is no core-only environment: it holds {', '.join(present)}", file=sys.stderr)
        return 1
    imported, failed = 0, 0
    for module in pkgutil.walk_packages(gen_emerge.__path__, "gen_emerge."):
        # Alembic runs the files in migrations itself, with its own context; `__main__` starts the program.
        if ".migrations." in module.name or module.name.endswith(".__main__"):
            continue
        try:
            importlib.import_module(module.name)
            imported += 1
        except Exception:
            failed += 1
            print(f"{module.name} does not import:", file=sys.stderr)
            traceback.print_exc()
    print(f"{imported} modules import without extras, {failed} do not")
    return 1 if failed or not imported else 0


if __name__ == "__main__":
    raise SystemExit(main())
