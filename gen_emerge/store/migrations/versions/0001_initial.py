"""The first schema. Frozen: never edited once a series was made with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPLICATION_ID = 0x47454D45
TABLES = [
    "attempts",
    "critics",
    "cycles",
    "genomes",
    "inputs",
    "rules",
    "scorers",
    "series",
    "spaces",
    "axes",
    "calibrations",
    "candidates",
    "proposals",
    "rounds",
    "critiques",
    "duels",
    "embeddings",
    "images",
    "placements",
    "questions",
    "resolutions",
    "signals",
    "verdicts",
]


def upgrade() -> None:
    _part_1()
    _part_2()
    _part_3()
    _part_4()
    _part_5()
    _part_6()
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"PRAGMA application_id={APPLICATION_ID}")
        for table in TABLES:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )


def downgrade() -> None:
    raise NotImplementedError("history is never taken back")


def _part_1() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("started", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="attempts_key"),
    )
    op.create_index("attempts_by_cycle", "attempts", ["cycle"])
    op.create_table(
        "critics",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("bank", sa.String(), nullable=False),
        sa.Column("bank_hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="critics_key"),
        sa.UniqueConstraint("name", "bank", "bank_hash", name="critics_one_name"),
    )
    op.create_table(
        "cycles",
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("committed_at", sa.Double(), nullable=False),
        sa.Column("best", sa.Integer(), nullable=True),
        sa.Column("render_seconds", sa.Double(), nullable=False),
        sa.Column("cycle_seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("cycle", name="cycles_key"),
    )
    op.create_table(
        "genomes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("recipe", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="genomes_key"),
        sa.UniqueConstraint("hash", name="genomes_one_hash"),
    )
    op.create_table(
        "inputs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("first_cycle", sa.Integer(), nullable=False),
        sa.Column("arrived_at", sa.Double(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="inputs_key"),
    )
    op.create_index("inputs_by_first_cycle", "inputs", ["first_cycle"])
    op.create_index("inputs_by_kind", "inputs", ["kind"])


def _part_2() -> None:
    op.create_table(
        "rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("gate", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("calibration", sa.Integer(), nullable=False),
        sa.Column("lower", sa.Double(), nullable=True),
        sa.Column("upper", sa.Double(), nullable=True),
        sa.Column("review", sa.Double(), nullable=True),
        sa.Column("duplicate", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="rules_key"),
    )
    op.create_table(
        "scorers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="scorers_key"),
        sa.UniqueConstraint("name", "version", name="scorers_one_name"),
    )
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("facts", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="series_key"),
    )
    op.create_table(
        "spaces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="spaces_key"),
        sa.UniqueConstraint("name", name="spaces_one_name"),
    )
    op.create_table(
        "axes",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("names", sa.String(), nullable=False),
        sa.Column("low", sa.String(), nullable=False),
        sa.Column("high", sa.String(), nullable=False),
        sa.Column("dims", sa.String(), nullable=False),
        sa.Column("centroids", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.cycle"], name="axes_cycle"),
        sa.PrimaryKeyConstraint("version", name="axes_key"),
    )


def _part_3() -> None:
    op.create_table(
        "calibrations",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("bounds", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.cycle"], name="calibrations_cycle"),
        sa.PrimaryKeyConstraint("version", name="calibrations_key"),
    )
    op.create_table(
        "candidates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("genome", sa.String(), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("parents", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.cycle"], name="candidates_cycle"),
        sa.ForeignKeyConstraint(["genome"], ["genomes.hash"], name="candidates_genome"),
        sa.PrimaryKeyConstraint("id", name="candidates_key"),
        sa.UniqueConstraint("cycle", "slot", name="candidates_one_cycle"),
    )
    op.create_index("candidates_by_genome", "candidates", ["genome"])
    op.create_table(
        "proposals",
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("made", sa.Integer(), nullable=False),
        sa.Column("genome", sa.String(), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("parents", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["genome"], ["genomes.hash"], name="proposals_genome"),
        sa.ForeignKeyConstraint(["made"], ["cycles.cycle"], name="proposals_made"),
        sa.PrimaryKeyConstraint("cycle", "slot", name="proposals_key"),
    )
    op.create_table(
        "rounds",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("round_cycle", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.cycle"], name="rounds_cycle"),
        sa.PrimaryKeyConstraint("id", name="rounds_key"),
    )
    op.create_index("rounds_by_cycle", "rounds", ["cycle"])


def _part_4() -> None:
    op.create_table(
        "critiques",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("candidate", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("critic", sa.Integer(), nullable=False),
        sa.Column("answers", sa.String(), nullable=False),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("weaknesses", sa.String(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["candidate"], ["candidates.id"], name="critiques_candidate"),
        sa.ForeignKeyConstraint(["critic"], ["critics.id"], name="critiques_critic"),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.cycle"], name="critiques_cycle"),
        sa.PrimaryKeyConstraint("id", name="critiques_key"),
        sa.UniqueConstraint("candidate", "cycle", name="critiques_one_candidate"),
    )
    op.create_table(
        "duels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("left", sa.Integer(), nullable=False),
        sa.Column("right", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("judge", sa.String(), nullable=False),
        sa.Column("order", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("attention", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.cycle"], name="duels_cycle"),
        sa.ForeignKeyConstraint(["left"], ["candidates.id"], name="duels_left"),
        sa.ForeignKeyConstraint(["right"], ["candidates.id"], name="duels_right"),
        sa.PrimaryKeyConstraint("id", name="duels_key"),
    )
    op.create_index("duels_by_cycle", "duels", ["cycle"])
    op.create_table(
        "embeddings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("candidate", sa.Integer(), nullable=False),
        sa.Column("space", sa.Integer(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["candidate"], ["candidates.id"], name="embeddings_candidate"),
        sa.ForeignKeyConstraint(["space"], ["spaces.id"], name="embeddings_space"),
        sa.PrimaryKeyConstraint("id", name="embeddings_key"),
        sa.UniqueConstraint("candidate", "space", name="embeddings_one_candidate"),
    )


def _part_5() -> None:
    op.create_table(
        "images",
        sa.Column("candidate", sa.Integer(), nullable=False),
        sa.Column("pixels", sa.String(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("thumbnail", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["candidate"], ["candidates.id"], name="images_candidate"),
        sa.PrimaryKeyConstraint("candidate", name="images_key"),
    )
    op.create_table(
        "placements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("candidate", sa.Integer(), nullable=False),
        sa.Column("cell", sa.Integer(), nullable=False),
        sa.Column("descriptor", sa.String(), nullable=False),
        sa.Column("descriptor_version", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("incumbent", sa.Integer(), nullable=True),
        sa.Column("clipped", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["candidate"], ["candidates.id"], name="placements_candidate"),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.cycle"], name="placements_cycle"),
        sa.ForeignKeyConstraint(["incumbent"], ["candidates.id"], name="placements_incumbent"),
        sa.PrimaryKeyConstraint("id", name="placements_key"),
    )
    op.create_index("placements_by_cycle", "placements", ["cycle"])
    op.create_table(
        "questions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("round", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ask", sa.String(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("images", sa.String(), nullable=False),
        sa.Column("attention", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["round"], ["rounds.id"], name="questions_round"),
        sa.PrimaryKeyConstraint("id", name="questions_key"),
        sa.UniqueConstraint("round", "position", name="questions_one_round"),
    )


def _part_6() -> None:
    op.create_table(
        "resolutions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("candidate", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["candidate"], ["candidates.id"], name="resolutions_candidate"),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.cycle"], name="resolutions_cycle"),
        sa.PrimaryKeyConstraint("id", name="resolutions_key"),
    )
    op.create_index("resolutions_by_candidate", "resolutions", ["candidate"])
    op.create_index("resolutions_by_cycle", "resolutions", ["cycle"])
    op.create_table(
        "signals",
        sa.Column("candidate", sa.Integer(), nullable=False),
        sa.Column("scorer", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["candidate"], ["candidates.id"], name="signals_candidate"),
        sa.ForeignKeyConstraint(["scorer"], ["scorers.id"], name="signals_scorer"),
        sa.PrimaryKeyConstraint("candidate", "scorer", name="signals_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "verdicts",
        sa.Column("candidate", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["candidate"], ["candidates.id"], name="verdicts_candidate"),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.cycle"], name="verdicts_cycle"),
        sa.ForeignKeyConstraint(["rule"], ["rules.id"], name="verdicts_rule"),
        sa.PrimaryKeyConstraint("candidate", "cycle", "position", name="verdicts_key"),
        sqlite_with_rowid=False,
    )
