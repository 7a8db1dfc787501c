"""Room: pictures made elsewhere -> pixels, and what their files say of how they were made.

Takes files; gives plain values. Nothing of a file is believed before it was measured: sizes and text are limited before
anything is decoded. It must never write, and never reach the store.
"""

from __future__ import annotations

from gen_emerge.importing.reading import Found, find_pictures, read
from gen_emerge.importing.recipes import Recipe

__all__ = ["Found", "Recipe", "find_pictures", "read"]
