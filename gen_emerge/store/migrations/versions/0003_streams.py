"""How an image came to be shown, and the baseline images. Frozen: never edited once a series was made with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rounds", sa.Column("baseline", sa.String(), server_default="[]", nullable=False))
    op.add_column("questions", sa.Column("stream", sa.String(), server_default="", nullable=False))


def downgrade() -> None:
    raise NotImplementedError("history is never taken back")
