"""Numbers of a scorer that was tried before it came into force: measured once, not again.

Takes the store; gives what was tried of one version before the settings in force were noted. Later trials are left
out, so that a cycle that is begun again reads the same.
"""

from __future__ import annotations

from collections.abc import Collection

from gen_emerge.store import Store
from gen_emerge.types import Trial


def tried(store: Store, gate: str, version: str, *, ids: Collection[int] | None = None) -> Trial:
    """What may be used of a trial; an empty one where nothing was tried.

    Args:
        store: the series.
        gate: quality, prompt, novelty or style.
        version: of today's scorer; for novelty its space.
        ids: only these candidates; None for all.
    """
    settings = store.inputs_of("config")
    found = store.tried(gate, version, before=settings[-1].id, ids=ids) if settings else None
    return found or Trial(gate=gate, version=version, table={})


def novelty_since(store: Store, version: str) -> int:
    """The first cycle since which novelty's scorer has not changed."""
    first = 0
    for item in reversed(store.inputs_of("config")):
        if item.payload.get("versions", {}).get("novelty", version) != version:
            break
        first = item.first_cycle
    else:
        return 0
    return first
