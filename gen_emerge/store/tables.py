"""The tables of a series, as SQLAlchemy models. Takes nothing, gives the schema, touches no file.

Truth is append-only: triggers refuse UPDATE and DELETE on every table here. Words that repeat on every candidate (a
scorer and its version, a rule and its bounds, a critic and its bank, an embedding space) are rows of their own, so
that the rows of a candidate stay a few bytes. Exactly two tables are written outside a cycle's transaction: `inputs`
and `attempts`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from sqlalchemy import DDL, Connection, Double, ForeignKey, MetaData, Table, UniqueConstraint, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA = "0004"
"""The schema this program reads and writes: the newest migration."""

APPLICATION_ID = 0x47454D45
"""`PRAGMA application_id` of our files ("GEME")."""


JSON_TEXT = "json"
"""Key of a column's `info`: what stands in it is JSON."""

Json = Annotated[str, mapped_column(info={JSON_TEXT: True})]


class Base(DeclarativeBase):
    """Parent of all tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {float: Double()}

    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_by_%(column_0_name)s",
            "uq": "%(table_name)s_one_%(column_0_name)s",
            "fk": "%(table_name)s_%(column_0_name)s",
            "pk": "%(table_name)s_key",
        }
    )


class SeriesRow(Base):
    """One row: the facts fixed when the series was created."""

    __tablename__ = "series"
    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[float]
    facts: Mapped[Json]


class GenomeRow(Base):
    """All that acts on the pixels, once per hash. Who proposed it stands with the candidate or proposal."""

    __tablename__ = "genomes"
    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(unique=True)
    recipe: Mapped[Json]


class CycleRow(Base):
    """One committed cycle. `committed_at` and seconds are for display only."""

    __tablename__ = "cycles"
    cycle: Mapped[int] = mapped_column(primary_key=True)
    committed_at: Mapped[float]
    best: Mapped[int | None]
    render_seconds: Mapped[float]
    cycle_seconds: Mapped[float]
    measures: Mapped[Json] = mapped_column(server_default="{}")


class CandidateRow(Base):
    """A genome's turn, and what became of it in its own cycle. `parents`: genome hashes, a space between."""

    __tablename__ = "candidates"
    __table_args__ = (UniqueConstraint("cycle", "slot"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    cycle: Mapped[int] = mapped_column(ForeignKey("cycles.cycle"))
    slot: Mapped[int]
    genome: Mapped[str] = mapped_column(ForeignKey("genomes.hash"), index=True)
    operator: Mapped[str]
    parents: Mapped[str]
    status: Mapped[str]
    cause: Mapped[str]


class ImageRow(Base):
    """The stored picture of a candidate; no row when rendering failed."""

    __tablename__ = "images"
    candidate: Mapped[int] = mapped_column(ForeignKey("candidates.id"), primary_key=True)
    pixels: Mapped[str]
    file: Mapped[str]
    path: Mapped[str]
    thumbnail: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    size: Mapped[int]


class ScorerRow(Base):
    """A signal's name and version."""

    __tablename__ = "scorers"
    __table_args__ = (UniqueConstraint("name", "version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[str]


class SignalRow(Base):
    """One raw number."""

    __tablename__ = "signals"
    __table_args__ = ({"sqlite_with_rowid": False},)
    candidate: Mapped[int] = mapped_column(ForeignKey("candidates.id"), primary_key=True)
    scorer: Mapped[int] = mapped_column(ForeignKey("scorers.id"), primary_key=True)
    value: Mapped[float]


class SpaceRow(Base):
    """An embedding space: model and revision."""

    __tablename__ = "spaces"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class EmbeddingRow(Base):
    """A point in a space. `vector`: float32, little-endian."""

    __tablename__ = "embeddings"
    __table_args__ = (UniqueConstraint("candidate", "space"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    candidate: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    space: Mapped[int] = mapped_column(ForeignKey("spaces.id"))
    vector: Mapped[bytes]


class RuleRow(Base):
    """A hard filter, or a gate with the bounds it applied. `review` is null where there are no bounds.

    `review_upper`: of the upper bound's band; null where both bands are as wide.
    """

    __tablename__ = "rules"
    id: Mapped[int] = mapped_column(primary_key=True)
    gate: Mapped[str]
    kind: Mapped[str]
    calibration: Mapped[int]
    lower: Mapped[float | None]
    upper: Mapped[float | None]
    review: Mapped[float | None]
    duplicate: Mapped[float | None]
    review_upper: Mapped[float | None]


class VerdictRow(Base):
    """What one rule said of one candidate, in the cycle that applied it."""

    __tablename__ = "verdicts"
    __table_args__ = ({"sqlite_with_rowid": False},)
    candidate: Mapped[int] = mapped_column(ForeignKey("candidates.id"), primary_key=True)
    cycle: Mapped[int] = mapped_column(ForeignKey("cycles.cycle"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    rule: Mapped[int] = mapped_column(ForeignKey("rules.id"))
    outcome: Mapped[str]
    value: Mapped[float | None]
    reason: Mapped[str]


class CriticRow(Base):
    """A critic with the bank it answered."""

    __tablename__ = "critics"
    __table_args__ = (UniqueConstraint("name", "bank", "bank_hash"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    bank: Mapped[str]
    bank_hash: Mapped[str]


class CritiqueRow(Base):
    """A critic's answers about one candidate. `answers`, `weaknesses`: JSON."""

    __tablename__ = "critiques"
    __table_args__ = (UniqueConstraint("candidate", "cycle"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    candidate: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    cycle: Mapped[int] = mapped_column(ForeignKey("cycles.cycle"))
    critic: Mapped[int] = mapped_column(ForeignKey("critics.id"))
    answers: Mapped[Json]
    summary: Mapped[str]
    weaknesses: Mapped[Json]
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
    cost_usd: Mapped[float]
    seconds: Mapped[float]


class DuelRow(Base):
    """Which of two candidates is better."""

    __tablename__ = "duels"
    id: Mapped[int] = mapped_column(primary_key=True)
    cycle: Mapped[int] = mapped_column(ForeignKey("cycles.cycle"), index=True)
    left: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    right: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    question: Mapped[str]
    outcome: Mapped[str]
    judge: Mapped[str]
    order: Mapped[str]
    purpose: Mapped[str]
    seconds: Mapped[float | None]
    attention: Mapped[bool]


class ResolutionRow(Base):
    """A later change of a candidate's status; the candidate's own row never changes."""

    __tablename__ = "resolutions"
    id: Mapped[int] = mapped_column(primary_key=True)
    cycle: Mapped[int] = mapped_column(ForeignKey("cycles.cycle"), index=True)
    candidate: Mapped[int] = mapped_column(ForeignKey("candidates.id"), index=True)
    status: Mapped[str]
    cause: Mapped[str]


class PlacementRow(Base):
    """What became of an accepted candidate in the archive. `descriptor`: JSON list."""

    __tablename__ = "placements"
    id: Mapped[int] = mapped_column(primary_key=True)
    cycle: Mapped[int] = mapped_column(ForeignKey("cycles.cycle"), index=True)
    candidate: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    cell: Mapped[int]
    descriptor: Mapped[Json]
    descriptor_version: Mapped[int]
    outcome: Mapped[str]
    incumbent: Mapped[int | None] = mapped_column(ForeignKey("candidates.id"))
    clipped: Mapped[bool]
    reason: Mapped[str]


class CalibrationRow(Base):
    """A version of all thresholds. `bounds`, `evidence`: JSON."""

    __tablename__ = "calibrations"
    version: Mapped[int] = mapped_column(primary_key=True)
    cycle: Mapped[int] = mapped_column(ForeignKey("cycles.cycle"))
    parent: Mapped[int | None]
    bounds: Mapped[Json]
    evidence: Mapped[Json]
    reason: Mapped[str]


class AxesRow(Base):
    """A version of the archive's geometry. `names`, `low`, `high`, `dims`, `centroids`: JSON lists."""

    __tablename__ = "axes"
    version: Mapped[int] = mapped_column(primary_key=True)
    cycle: Mapped[int] = mapped_column(ForeignKey("cycles.cycle"))
    kind: Mapped[str]
    names: Mapped[Json]
    low: Mapped[Json]
    high: Mapped[Json]
    dims: Mapped[Json]
    centroids: Mapped[Json]


class RoundRow(Base):
    """A round the loop opened. Rounds opened on request are inputs. `baseline`: JSON list of candidate ids."""

    __tablename__ = "rounds"
    id: Mapped[str] = mapped_column(primary_key=True)
    cycle: Mapped[int] = mapped_column(ForeignKey("cycles.cycle"), index=True)
    round_cycle: Mapped[int]
    reason: Mapped[str]
    baseline: Mapped[Json] = mapped_column(server_default="[]")


class QuestionRow(Base):
    """One question of a round. `images`: JSON, side -> candidate id."""

    __tablename__ = "questions"
    __table_args__ = (UniqueConstraint("round", "position"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    round: Mapped[str] = mapped_column(ForeignKey("rounds.id"))
    position: Mapped[int]
    kind: Mapped[str]
    ask: Mapped[str]
    prompt: Mapped[str]
    images: Mapped[Json]
    attention: Mapped[bool]
    stream: Mapped[str] = mapped_column(server_default="")


class ProposalRow(Base):
    """A genome waiting for its turn in `cycle`, proposed when `made` was committed."""

    __tablename__ = "proposals"
    cycle: Mapped[int] = mapped_column(primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True)
    made: Mapped[int] = mapped_column(ForeignKey("cycles.cycle"))
    genome: Mapped[str] = mapped_column(ForeignKey("genomes.hash"))
    operator: Mapped[str]
    parents: Mapped[str]


class EventRow(Base):
    """Something worth telling. `payload`: JSON."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    cycle: Mapped[int] = mapped_column(ForeignKey("cycles.cycle"), index=True)
    kind: Mapped[str]
    message: Mapped[str]
    payload: Mapped[Json]


class InputRow(Base):
    """What came from outside, written on arrival. `payload`: JSON."""

    __tablename__ = "inputs"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(index=True)
    first_cycle: Mapped[int] = mapped_column(index=True)
    arrived_at: Mapped[float]
    payload: Mapped[Json]


class AttemptRow(Base):
    """A start of a cycle, written before its render."""

    __tablename__ = "attempts"
    id: Mapped[int] = mapped_column(primary_key=True)
    cycle: Mapped[int] = mapped_column(index=True)
    started: Mapped[float]


_REFUSED = ("UPDATE", "DELETE")


def trigger_names(table: str) -> list[str]:
    """What the two triggers that make one table append-only are called."""
    return [f"{table}_no_{verb.lower()}" for verb in _REFUSED]


def trigger_statements(table: str) -> list[str]:
    """The statements that make one table append-only."""
    return [
        f"CREATE TRIGGER {name} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for name, verb in zip(trigger_names(table), _REFUSED, strict=True)
    ]


def _make_append_only(target: Table, connection: Connection, **_: Any) -> None:
    if connection.dialect.name == "sqlite":
        for statement in trigger_statements(target.name):
            connection.execute(DDL(statement))


for _table in Base.metadata.tables.values():
    event.listen(_table, "after_create", _make_append_only)
