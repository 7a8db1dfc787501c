"""The store: tables, transactions, migrations and image files of one series. The only place that knows SQLAlchemy."""

from gen_emerge.store.anew import begin_anew
from gen_emerge.store.answers import Answers
from gen_emerge.store.images import is_thumbnail, pixels_hash, read_recipe, sweep
from gen_emerge.store.imports import importing, keep, read_import, sweep_imports
from gen_emerge.store.integrity import Problem, verify_pages, verify_rows
from gen_emerge.store.lock import Held, Owner, hold, holder
from gen_emerge.store.migrate import upgrade
from gen_emerge.store.read_series import Cycle
from gen_emerge.store.rows import round_payload
from gen_emerge.store.store import DATABASE, Store
from gen_emerge.store.verify import uncommitted, verify_files

__all__ = [
    "DATABASE",
    "Answers",
    "Cycle",
    "Held",
    "Owner",
    "Problem",
    "Store",
    "begin_anew",
    "hold",
    "holder",
    "importing",
    "is_thumbnail",
    "keep",
    "pixels_hash",
    "read_import",
    "read_recipe",
    "round_payload",
    "sweep",
    "sweep_imports",
    "uncommitted",
    "upgrade",
    "verify_files",
    "verify_pages",
    "verify_rows",
]
