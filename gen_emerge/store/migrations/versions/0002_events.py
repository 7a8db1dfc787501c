"""Events, and the figures kept per cycle. Frozen: never edited once a series was made with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cycles", sa.Column("measures", sa.String(), server_default="{}", nullable=False))
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.cycle"], name="events_cycle"),
        sa.PrimaryKeyConstraint("id", name="events_key"),
    )
    op.create_index("events_by_cycle", "events", ["cycle"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER events_no_{verb.lower()} BEFORE {verb} ON events "
                "BEGIN SELECT RAISE(ABORT, 'events is append-only'); END"
            )


def downgrade() -> None:
    raise NotImplementedError("history is never taken back")
