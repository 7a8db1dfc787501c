"""A series of which nothing ever came begins anew, in its own file: other facts, and no notes of what was set before.

Takes the folder of a series and the facts; one transaction. It stays the same file, so what somebody writes at this
very moment comes before, and then nothing is done, or after, and is kept. This is the one place where rows are not
append-only: there is no history yet.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select

from gen_emerge.store import tables as t
from gen_emerge.store.database import engine, writing
from gen_emerge.store.rows import to_json
from gen_emerge.store.store import DATABASE
from gen_emerge.store.write import last_committed

_NOTES = (t.InputRow, t.AttemptRow, t.SeriesRow)


def begin_anew(folder: Path, facts: Mapping[str, Any]) -> bool:
    """Give a series other facts; False, and nothing was done, where a cycle or anything from outside came of it.

    Args:
        folder: the series', held by this process.
        facts: plain JSON, as for `Store.create`.
    """
    path = folder / DATABASE
    source = engine(path)
    try:
        with writing(source, path) as connection:
            told = select(t.InputRow.id).where(t.InputRow.kind != "config")
            if last_committed(connection) or connection.execute(told).first() is not None:
                return False
            for table in _NOTES:
                for name in t.trigger_names(table.__tablename__):
                    connection.exec_driver_sql(f"DROP TRIGGER {name}")
                connection.execute(delete(table))
                for statement in t.trigger_statements(table.__tablename__):
                    connection.exec_driver_sql(statement)
            connection.execute(insert(t.SeriesRow), {"id": 1, "created_at": time.time(), "facts": to_json(facts)})
            return True
    finally:
        source.dispose()
