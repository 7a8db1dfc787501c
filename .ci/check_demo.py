"""Check a finished demo. Takes `gen-emerge --json status NAME` on stdin; exit code 1 unless it is done and full enough.

Example:
    gen-emerge --json status first-light | python .ci/check_demo.py --cells 60
"""

from __future__ import annotations

import argparse
import json
import sys


def main() -> int:
    """Print one line of figures; refuse a series that stopped early or filled too few cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=0, help="fewest filled cells")
    parser.add_argument("--cycle", type=int, default=0, help="fewest committed cycles")
    arguments = parser.parse_args()
    try:
        status = json.load(sys.stdin)
    except json.JSONDecodeError as error:
        print(f"status gave no JSON: {error}", file=sys.stderr)
        return 1
    if "error" in status:
        print(f"status gave an error: {status['error']}", file=sys.stderr)
        return 1
    print(
        f"{status['series']}: {status['state']}, {status['cycle']} cycles, {status['candidates']} images, "
        f"{status['accepted']} accepted, {status['cells_filled']} of {status['cells_total']} cells filled"
    )
    problems = []
    if status["state"] != "done":
        problems.append(f"the state is {status['state']!r}, not 'done'")
    if status["cells_filled"] < arguments.cells:
        problems.append(f"{status['cells_filled']} cells are filled, fewer than {arguments.cells}")
    if status["cycle"] < arguments.cycle:
        problems.append(f"{status['cycle']} cycles are committed, fewer than {arguments.cycle}")
    for problem in problems:
        print(f"not as it should be: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
