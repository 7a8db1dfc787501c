"""Room: pictures made elsewhere -> pixels, and what their files say of how they were made.

Takes files; gives plain values. Nothing of a file is believed before it was measured: sizes and text are limited before
anything is decoded. It writes nothing but temporary copies without a name, and must never reach the store.
"""

from __future__ import annotations

from gen_emerge.importing.finding import Listing, find_pictures
from gen_emerge.importing.reading import Found, read, scratch
from gen_emerge.importing.recipes import Recipe

__all__ = ["Found", "Listing", "Recipe", "find_pictures", "read", "scratch"]
