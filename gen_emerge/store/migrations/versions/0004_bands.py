"""A review band of its own for the upper bound. Frozen: never edited once a series was made with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rules", sa.Column("review_upper", sa.Double(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("history is never taken back")
