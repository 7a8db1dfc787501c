"""A process that has imported the libraries and forks one process a command: starting costs little, all else is real.

Takes a JSON object a line on standard input: {"argv", "env", "out", "err"} starts `gen-emerge` with these arguments and
answers {"pid"}; {"wait": pid} answers {"status"}: None while it runs, else what `os.waitstatus_to_exitcode` says.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
from typing import Any, NoReturn

WARM = (
    "numpy scipy.sparse scipy.spatial scipy.optimize sqlalchemy pydantic ribs.archives numba PIL.Image "
    "gen_emerge.series gen_emerge.audit gen_emerge.inspection gen_emerge.cli.commands.run gen_emerge.cli.commands.judge"
)


def main() -> None:
    for name in WARM.split():
        importlib.import_module(name)
    stood_in_for = importlib.import_module("sitecustomize").STAND_INS
    assert not stood_in_for.keys() & sys.modules.keys()
    # A library with threads of its own (ONNX Runtime) would not survive the fork: its children import it themselves.
    assert len(os.listdir("/proc/self/task")) == 1 if sys.platform == "linux" else True  # noqa: PTH208
    # A child that ends collects its garbage: without this it writes on, and so copies, every page that it shares with
    # this process, and its end takes a second instead of a fifth.
    gc.collect()
    gc.freeze()
    _answer({"ready": True})
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            ended, status = os.waitpid(asked["wait"], os.WNOHANG)
            _answer({"status": os.waitstatus_to_exitcode(status) if ended else None})
            continue
        child = os.fork()
        if child == 0:
            _become(asked)
        _answer({"pid": child})


def _become(asked: dict[str, Any]) -> NoReturn:
    """The child: end as the command line would."""
    # Whoever starts the tests in the background of a script hands down that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sitecustomize = importlib.import_module("sitecustomize")
    for target, path, flags in ((0, os.devnull, os.O_RDONLY), (1, asked["out"], -1), (2, asked["err"], -1)):
        handle = os.open(path, flags if flags >= 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(handle, target)
        os.close(handle)
    os.environ.update(asked["env"])
    sitecustomize.set_clock()
    if limit := os.environ.get("STAND_IN_FILE_LIMIT"):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    from gen_emerge.cli.main import main as command

    sys.exit(command(asked["argv"]))


def _answer(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
