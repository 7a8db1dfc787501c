"""Heads trained on a series' judgements: stored inputs -> the one in force in a cycle, and the duels it settles.

A version is an input of kind "reward" that holds the fitted head, whether it may act, and why. It counts from its first
cycle on, so a kill between the two changes nothing; the last one stands. A head orders two images for one cell, and
takes of one genome. It neither gates, nor says which cell, nor is ever what a cell is won by: a duel it settles is a
duel, recorded with its name, and everybody else's word stands above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen_emerge.preference.head import Head, Looks, head_from
from gen_emerge.store import Store
from gen_emerge.types import REWARD, Critique, Duel, Input

KIND = "reward"
"""The kind of such an input."""
PERSONAL = "personal"
"""The signal by which a head orders takes: the utility it expects, in log-odds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a head can know of one image: its embedding, and what the critic answered, if it did."""

    vector: NDArray[np.float32]
    critique: Critique | None


@dataclass(frozen=True)
class Version:
    """One version of a head.

    Args:
        item: the input.
        whole: the input that holds the head itself: the same, or the version that this one went back to.
    """

    item: Input
    whole: Input | None

    @property
    def number(self) -> int:
        """From 1."""
        return int(self.item.payload["version"])

    @property
    def active(self) -> bool:
        """Whether it may act."""
        return bool(self.item.payload["active"]) and self.whole is not None

    @property
    def hash(self) -> str:
        """Content hash of the head; "" where this version is to have none."""
        return str(self.item.payload["hash"])

    @property
    def space(self) -> str:
        """The embedding space it reads."""
        return str(self._payload.get("space", ""))

    @property
    def judge(self) -> str:
        """Its name in duels."""
        return f"{REWARD}{self.number}:{self.hash[:12]}"

    @property
    def about(self) -> Mapping[str, Any]:
        """All that was stored of it but the head."""
        return {key: value for key, value in {**self._payload, **self.item.payload}.items() if key != "head"}

    @property
    def _payload(self) -> Mapping[str, Any]:
        return self.whole.payload if self.whole is not None else {}

    @cached_property
    def head(self) -> Head:
        """The head.

        Raises:
            BadInput: it cannot be read.
        """
        return head_from(self._payload["head"])

    def looks(self, images: Iterable[Known]) -> Looks:
        """What it may know of images: answers to another bank, or by another critic, mean nothing to it."""
        shown = list(images)
        asked = (self._payload.get("critic"), self._payload.get("bank_hash"))
        answers = [
            dict(each.critique.answers)
            if each.critique and (each.critique.critic, each.critique.bank_hash) == asked
            else {}
            for each in shown
        ]
        return Looks(vectors=np.stack([each.vector for each in shown]), answers=answers)

    def duel(self, left: tuple[int, Known], right: tuple[int, Known], *, sure: float) -> Duel | None:
        """Settle a duel for a cell; None where it is not sure.

        Args:
            left: the challenger's id, and what is known of it.
            right: the holder's.
            sure: probability from which it is.
        """
        side, _ = self.head.sure(self.looks([left[1], right[1]]), sure)
        if side is None:
            return None
        return Duel(left=left[0], right=right[0], question="quality", outcome=side, judge=self.judge)


class Heads:
    """Every version of a series' head.

    Args:
        inputs: those of kind "reward", oldest first.
    """

    def __init__(self, inputs: Iterable[Input]) -> None:
        self._versions: dict[int, Version] = {}
        self._arrived: set[int] = set()
        self.arrive(inputs)

    def arrive(self, inputs: Iterable[Input]) -> None:
        """More of them; those that are known already change nothing."""
        for item in inputs:
            if item.kind != KIND or item.id in self._arrived:
                continue
            self._arrived.add(item.id)
            of = item.payload.get("of")
            whole = item if "head" in item.payload else None
            if of is not None:
                whole = next((v.whole for v in self._versions.values() if v.number == of), None)
            self._versions[item.id] = Version(item, whole)

    def __iter__(self) -> Iterator[Version]:
        """In the order in which they were asked for."""
        return iter(self._versions.values())

    @property
    def last(self) -> Version | None:
        """The newest, in force or to come."""
        return next(reversed(self._versions.values()), None)

    def as_of(self, cycle: int) -> Version | None:
        """The version that stands in a cycle, active or not; None before there is one."""
        return next((v for v in reversed(self._versions.values()) if v.item.first_cycle <= cycle), None)

    def acting(self, cycle: int, space: str) -> Version | None:
        """The version that acts in a cycle: an active one that reads the embeddings of today."""
        found = self.as_of(cycle)
        return found if found is not None and found.active and found.space == space else None


def told(store: Store, duels: Iterable[Duel], cycle: int, *, use: bool) -> dict[str, Any] | None:
    """What `status` and `inspect` say of the version asked for last; None before there is any.

    Args:
        store: the series.
        duels: every duel of it.
        cycle: the last one committed.
        use: whether the series file lets a head settle duels.
    """
    version = Heads(store.inputs_of(KIND)).last
    if version is None:
        return None
    noted = store.inputs_of("config")
    fits = bool(noted) and noted[-1].payload.get("versions", {}).get("novelty") == version.space
    about = version.about
    return {
        "version": version.number,
        "hash": version.hash,
        "did": about["did"],
        "active": version.active,
        "acting": version.active and use and fits,
        "rater": about.get("rater"),
        "from_cycle": version.item.first_cycle,
        "to_come": version.item.first_cycle > cycle,
        "reason": about["reason"],
        "answers": about.get("answers"),
        "held_out": about.get("held_out"),
        "deeds": about.get("deeds"),
        "settled": sum(duel.by_head for duel in duels),
    }
