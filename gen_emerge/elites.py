"""What is kept of the elites in memory: their vectors, and what the critic is shown of them.

Takes the store and the series' pictures; follows the archive commit by commit. All of it is derived: killed and read
again, it is the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gen_emerge.album import Album
from gen_emerge.heads import Known
from gen_emerge.store import Store
from gen_emerge.types import CycleRecord, Exhibit


class Elites:
    """Of the elites of one series.

    Args:
        store: the history, read only.
        album: the pictures.
        space: of today's novelty scorer.
        looks: whether the critic is shown pictures of earlier cycles; one that answers at once is not.
    """

    def __init__(self, store: Store, album: Album, *, space: str, looks: bool) -> None:
        self._store = store
        self._album = album
        self._space = space
        self._looks = looks
        self._vectors: dict[int, NDArray[np.float32]] = {}
        self._exhibits: dict[int, Exhibit] = {}

    def begin(self, vectors: Mapping[int, NDArray[np.float32]]) -> None:
        """The elites of a series that is opened: candidate id -> (d,) float32."""
        self._vectors = dict(vectors)

    def follow(self, elites: Collection[int], record: CycleRecord) -> None:
        """Who is an elite as of a commit, and what that cycle embedded and the critic answered anew."""
        self._exhibits = {c: exhibit for c, exhibit in self._exhibits.items() if c in elites}
        for candidate, critique in record.critiques.items():
            if (exhibit := self._exhibits.get(candidate)) is not None:
                self._exhibits[candidate] = replace(exhibit, critique=critique)
        for candidate in set(elites) - set(self._vectors):
            embedding = record.embeddings.get(candidate)
            if embedding is None or embedding.space != self._space:
                _, vectors = self._store.embeddings([candidate], self._space)
                if len(vectors):
                    self._vectors[candidate] = vectors[0]
            else:
                self._vectors[candidate] = embedding.vector
        for candidate in set(self._vectors) - set(elites):
            del self._vectors[candidate]

    def vectors(self) -> NDArray[np.float32]:
        """(elites, d) float32 embeddings, by candidate id."""
        if not self._vectors:
            return np.empty((0, 1), dtype=np.float32)
        return np.stack([self._vectors[candidate] for candidate in sorted(self._vectors)])

    def exhibit(self, candidate: int) -> Exhibit:
        """What the critic is shown of a candidate of an earlier cycle: its picture too, unless it answers at once."""
        return self.shown(self.known(candidate))

    def known(self, candidate: int) -> Exhibit:
        """The same without its picture."""
        if candidate not in self._exhibits:
            (found,) = self._store.candidates([candidate])
            signals = self._store.signals([candidate]).get(candidate, {})
            self._exhibits[candidate] = Exhibit(
                candidate=candidate,
                prompt=found.genome.prompt,
                pixels=None,
                signals={name: signal.value for name, signal in signals.items()},
                critique=self._store.critiques([candidate]).get(candidate),
            )
        return self._exhibits[candidate]

    def look(self, candidate: int) -> Known | None:
        """What a head can know of a candidate of an earlier cycle; None where today's scorer has not embedded it."""
        vector = self._vectors.get(candidate)
        if vector is None:
            _, found = self._store.embeddings([candidate], self._space)
            if not len(found):
                return None
            vector = found[0]
        return Known(vector=vector, critique=self.known(candidate).critique)

    def shown(self, exhibit: Exhibit) -> Exhibit:
        """With its picture, for a critic that looks at it; exhibits are kept without."""
        return self.with_picture(exhibit) if self._looks else exhibit

    def with_picture(self, exhibit: Exhibit) -> Exhibit:
        """The exhibit with its picture."""
        if exhibit.pixels is not None:
            return exhibit
        (found,) = self._store.candidates([exhibit.candidate])
        return replace(exhibit, pixels=self._album.picture(found)) if found.image else exhibit

    def remember(self, exhibits: Iterable[Exhibit]) -> None:
        """Keep a cycle's exhibits, without pixels, for the elites among them."""
        for exhibit in exhibits:
            self._exhibits[exhibit.candidate] = exhibit
