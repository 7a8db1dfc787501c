"""Reading candidates: their genomes, their pictures, what became of them, and genomes that wait for their turn.

Takes ids, cycles and hashes, gives the words of the project; never writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from gen_emerge.store import tables as t
from gen_emerge.store.rows import genome_from
from gen_emerge.store.snapshots import MANY, Snapshots, rows_of
from gen_emerge.types import Candidate, Genome, Image, Proposal

_IMAGE = (
    t.ImageRow.pixels,
    t.ImageRow.file,
    t.ImageRow.path,
    t.ImageRow.thumbnail,
    t.ImageRow.width,
    t.ImageRow.height,
    t.ImageRow.size,
)


def _image(values: Sequence[Any]) -> Image | None:
    if values[0] is None:
        return None
    pixels, file, path, thumbnail, width, height, size = values
    return Image(pixels=pixels, file=file, path=path, thumbnail=thumbnail, width=width, height=height, size=size)


class CandidateReader(Snapshots):
    """The half of a store that reads candidates."""

    def pending_proposals(self, after: int) -> dict[int, tuple[Proposal, ...]]:
        """Proposals stored for the cycles > `after`: cycle -> proposals in slot order."""
        p = t.ProposalRow
        statement = (
            select(p.cycle, p.slot, t.GenomeRow.recipe, p.operator, p.parents)
            .join(t.GenomeRow, t.GenomeRow.hash == p.genome)
            .where(p.cycle > after)
            .order_by(p.cycle, p.slot)
        )
        found: dict[int, list[Proposal]] = defaultdict(list)
        for cycle, slot, *genome in self._all(statement):
            found[cycle].append(Proposal(cycle=cycle, slot=slot, genome=genome_from(*genome)))
        return {cycle: tuple(proposals) for cycle, proposals in found.items()}

    def genomes(self, hashes: Iterable[str]) -> dict[str, Genome]:
        """Genomes by hash, with the lineage they were first seen with. Unknown hashes are left out."""
        wanted = list(dict.fromkeys(hashes))
        found: dict[str, Genome] = {}
        with self._reading() as connection:
            for table, order in ((t.CandidateRow, t.CandidateRow.id), (t.ProposalRow, t.ProposalRow.made)):
                columns = (t.GenomeRow.hash, t.GenomeRow.recipe, table.operator, table.parents)
                statement = select(*columns).join(table, table.genome == t.GenomeRow.hash).order_by(order)
                missing = [h for h in wanted if h not in found]
                for first in range(0, len(missing), MANY):
                    some = statement.where(t.GenomeRow.hash.in_(missing[first : first + MANY]))
                    for name, *genome in connection.execute(some):
                        found.setdefault(name, genome_from(*genome))
        return {h: found[h] for h in wanted if h in found}

    def candidates(
        self, ids: Sequence[int] | None = None, *, cycle: int | None = None, current: bool = False
    ) -> list[Candidate]:
        """Candidates with genome and image, by id.

        Args:
            ids: which ones; None for all.
            cycle: only those of one cycle.
            current: with their present status (after resolutions) instead of the one of their own cycle.
        """
        c = t.CandidateRow
        columns = (c.id, c.cycle, c.slot, c.status, c.cause, t.GenomeRow.recipe, c.operator, c.parents, *_IMAGE)
        statement = (
            select(*columns)
            .join(t.GenomeRow, t.GenomeRow.hash == c.genome)
            .outerjoin(t.ImageRow, t.ImageRow.candidate == c.id)
            .order_by(c.id)
        )
        if cycle is not None:
            statement = statement.where(c.cycle == cycle)
        with self._reading() as connection:
            rows = list(rows_of(connection, statement, c.id, ids))
            resolved = _resolved(connection, ids) if current else {}
        return [
            Candidate(
                id=number,
                cycle=of,
                slot=slot,
                genome=genome_from(*rest[:3]),
                image=_image(rest[3:]),
                status=resolved.get(number, (status, cause))[0],
                cause=resolved.get(number, (status, cause))[1],
            )
            for number, of, slot, status, cause, *rest in sorted(rows, key=lambda row: row[0])
        ]

    def cycles_of(self, ids: Iterable[int]) -> dict[int, int]:
        """Candidate id -> its cycle; unknown ids are left out."""
        c = t.CandidateRow
        return {number: cycle for number, cycle in self._all(select(c.id, c.cycle), c.id, ids)}

    def made_since(self, cycle: int) -> int:
        """How many candidates a cycle and all later ones have."""
        c = t.CandidateRow
        ((count,),) = self._all(select(func.count()).select_from(c).where(c.cycle >= cycle))
        return count

    def candidates_of(self, genomes: Iterable[str]) -> dict[str, int]:
        """Genome hash -> the first candidate made of it; unknown hashes are left out."""
        c, wanted = t.CandidateRow, list(dict.fromkeys(genomes))
        found: dict[str, int] = {}
        with self._reading() as connection:
            for first in range(0, len(wanted), MANY):
                some = select(c.genome, c.id).where(c.genome.in_(wanted[first : first + MANY])).order_by(c.id)
                for genome, number in connection.execute(some):
                    found.setdefault(genome, number)
        return found

    def beginning_with(self, digits: str) -> dict[int, str]:
        """Candidate id -> its genome's, picture's or picture file's hash that begins with these hexadecimal digits."""
        c, i = t.CandidateRow, t.ImageRow
        found: dict[int, str] = {}
        for number, whole in ((c.id, c.genome), (i.candidate, i.pixels), (i.candidate, i.file)):
            for candidate, text in self._all(select(number, whole).where(whole.startswith(digits)).order_by(number)):
                found.setdefault(candidate, text)
        return dict(sorted(found.items()))

    def last_candidate(self) -> int:
        """The highest id of a candidate, 0 when there is none."""
        return int(self._all(select(func.coalesce(func.max(t.CandidateRow.id), 0)))[0][0])

    def images(self, first: int = 1, last: int | None = None) -> Iterator[tuple[int, Image]]:
        """(candidate id, image) of every stored picture with first <= id <= last, by id; None: to the end."""
        i, after = t.ImageRow, first - 1
        statement = select(i.candidate, *_IMAGE).order_by(i.candidate).limit(MANY)
        if last is not None:
            statement = statement.where(i.candidate <= last)
        while True:
            rows = self._all(statement.where(i.candidate > after))
            for number, *values in rows:
                image = _image(values)
                if image:
                    yield number, image
            if len(rows) < MANY:
                return
            after = rows[-1][0]


def _resolved(connection: Connection, ids: Iterable[int] | None) -> dict[int, tuple[Any, str]]:
    """Candidate id -> its last change of status."""
    r = t.ResolutionRow
    statement = select(r.candidate, r.status, r.cause).order_by(r.id)
    return {number: (status, cause) for number, status, cause in rows_of(connection, statement, r.candidate, ids)}
