"""Who is near? Embeddings of accepted images -> the nearest of them, exactly while that is cheap, then nearly so.

Takes L2-normalised embeddings of one space and candidate ids; gives 1 - cosine distances in [0, 2]. Everything it keeps
on the disk is derived from the store, which it never touches.
"""

from __future__ import annotations

from gen_emerge.novelty.index import EXACT, Neighbourhood, NoveltyIndex

__all__ = ["EXACT", "Neighbourhood", "NoveltyIndex"]
