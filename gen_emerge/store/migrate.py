"""Upgrading an old series. Takes its folder, changes its database to the newest schema in one transaction.

Alembic is imported here and nowhere else; migrations are in `migrations/` of this package.
"""

from __future__ import annotations

from pathlib import Path

from gen_emerge.errors import NotFound, WrongSchema
from gen_emerge.store import tables as t
from gen_emerge.store.database import engine, schema_version, writing
from gen_emerge.store.lock import hold
from gen_emerge.store.sqlite_errors import translated
from gen_emerge.store.store import DATABASE


def upgrade(folder: Path) -> tuple[str, str]:
    """Bring a series to the schema of this program. It takes the series' lock itself; all or nothing.

    Returns:
        The schema it had and the schema it has.

    Raises:
        NotFound: there is no such series.
        WrongSchema: it is newer than this program.
        HeldByAnother: it is running.
    """
    from alembic import command
    from alembic.config import Config

    path = folder / DATABASE
    if not path.is_file():
        raise NotFound(f'There is no series "{folder.name}" in {folder.parent}.')
    with hold(folder):
        source = engine(path)
        try:
            found = schema_version(path, source)
            if found > t.SCHEMA:
                raise WrongSchema(
                    f'The series "{folder.name}" has schema {found}, newer than {t.SCHEMA}.', hint="Upgrade gen-emerge."
                )
            if found < t.SCHEMA:
                config = Config()
                config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
                with writing(source, path) as connection, translated(path):
                    config.attributes["connection"] = connection
                    command.upgrade(config, t.SCHEMA)
            return found, t.SCHEMA
        finally:
            source.dispose()
