"""Alembic's entry: runs the migrations on the connection that `store.migrate` opened, inside its transaction."""

from __future__ import annotations

from alembic import context

from gen_emerge.store.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
