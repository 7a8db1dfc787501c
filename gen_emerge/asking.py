"""Asking the critic: exhibits -> critiques and duels, each paid for once.

Takes a critic and the store's `inputs`. A critic that answers at once, from what is already here, is simply asked. Any
other's replies come from outside: they are written to `inputs` on arrival, with the first cycle that may use them, and
never asked for again, however often the process is killed. A critic that is down leaves the question open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from gen_emerge.protocols import Critic, CriticDown
from gen_emerge.store import Store
from gen_emerge.types import Critique, Duel, Exhibit, QuestionBank, Side, Usage


class Sitting:
    """One critic, one bank, one brief, and the replies already paid for.

    Args:
        critic: asked in `concurrency` threads unless it answers at once.
        bank: the questions.
        brief: what the series is for.
        store: where replies are written and looked up.
        concurrency: calls at a time.
    """

    def __init__(self, critic: Critic, *, bank: QuestionBank, brief: str, store: Store, concurrency: int = 8) -> None:
        self.critic = critic
        self._bank = bank
        self._brief = brief
        self._store = store
        self._pool = None if critic.immediate else ThreadPoolExecutor(concurrency, thread_name_prefix="critic")
        self._replies: dict[tuple[Any, ...], tuple[int, Mapping[str, Any]]] = {}
        if not critic.immediate:
            for reply in store.inputs_of("critic"):
                self._replies.setdefault(_key(reply.payload), (reply.first_cycle, reply.payload))

    @property
    def immediate(self) -> bool:
        """Whether the critic answers at once."""
        return self.critic.immediate

    def review(self, exhibits: Sequence[Exhibit], *, cycle: int) -> dict[int, Critique]:
        """Critiques by candidate id; a candidate the critic could not answer about is missing.

        Args:
            exhibits: with pixels.
            cycle: the first cycle that may use the replies.
        """
        if self._pool is None:
            found = [(exhibit.candidate, self._review_now(exhibit)) for exhibit in exhibits]
        else:
            asked = list(self._pool.map(self._review_once, exhibits, [cycle] * len(exhibits)))
            found = [(exhibit.candidate, critique) for exhibit, critique in zip(exhibits, asked, strict=True)]
        return {candidate: critique for candidate, critique in found if critique is not None}

    def duel(self, pairs: Sequence[tuple[Exhibit, Exhibit]], *, purpose: str, cycle: int) -> list[Duel | None]:
        """One duel a pair, in order; None where the critic could not answer.

        Args:
            pairs: (challenger, incumbent): left and right as stored.
            purpose: "cell" or "best".
            cycle: the first cycle that may use the replies.
        """
        if self._pool is None:
            sides: list[Side | None] = [self._duel_now(left, right) for left, right in pairs]
        else:
            lefts, rights = [left for left, _ in pairs], [right for _, right in pairs]
            sides = list(self._pool.map(self._duel_once, lefts, rights, [cycle] * len(pairs)))
        return [
            None if side is None else self._as_duel(left, right, side, purpose)
            for (left, right), side in zip(pairs, sides, strict=True)
        ]

    def answered(self, left: int, right: int) -> bool:
        """Whether a duel's reply is already here (always, for a critic that answers at once)."""
        return self.immediate or ("duel", left, right, self.critic.name, self._bank.hash) in self._replies

    def close(self) -> None:
        """Wait for calls in flight: their replies are paid for and kept."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def _as_duel(self, left: Exhibit, right: Exhibit, side: Side, purpose: str) -> Duel:
        return Duel(
            left=left.candidate,
            right=right.candidate,
            question="quality",
            outcome=side,
            judge=self.critic.name,
            order="both",
            purpose="best" if purpose == "best" else "cell",
        )

    def _review_now(self, exhibit: Exhibit) -> Critique | None:
        try:
            return self.critic.review(exhibit, brief=self._brief, bank=self._bank)
        except CriticDown:
            return None

    def _duel_now(self, left: Exhibit, right: Exhibit) -> Side | None:
        try:
            return self.critic.duel(left, right, brief=self._brief, bank=self._bank)
        except CriticDown:
            return None

    def _review_once(self, exhibit: Exhibit, cycle: int) -> Critique | None:
        payload: dict[str, Any] = {
            "ask": "review",
            "candidate": exhibit.candidate,
            "critic": self.critic.name,
            "bank_hash": self._bank.hash,
        }
        if _key(payload) in self._replies:
            first_cycle, known = self._replies[_key(payload)]
            return critique_from(known["critique"]) if first_cycle <= cycle else None
        critique = self._review_now(exhibit)
        if critique is not None:
            self._keep({**payload, "critique": as_plain(critique)}, cycle)
        return critique

    def _duel_once(self, left: Exhibit, right: Exhibit, cycle: int) -> Side | None:
        payload: dict[str, Any] = {
            "ask": "duel",
            "left": left.candidate,
            "right": right.candidate,
            "critic": self.critic.name,
            "bank_hash": self._bank.hash,
        }
        if _key(payload) in self._replies:
            first_cycle, known = self._replies[_key(payload)]
            return known["outcome"] if first_cycle <= cycle else None
        side = self._duel_now(left, right)
        if side is not None:
            self._keep({**payload, "outcome": side}, cycle)
        return side

    def _keep(self, payload: dict[str, Any], cycle: int) -> None:
        self._store.add_input("critic", payload, first_cycle=cycle)
        self._replies[_key(payload)] = (cycle, payload)


def _key(payload: Mapping[str, Any]) -> tuple[Any, ...]:
    asked = (payload["candidate"],) if payload["ask"] == "review" else (payload["left"], payload["right"])
    return (payload["ask"], *asked, payload["critic"], payload["bank_hash"])


def as_plain(critique: Critique) -> dict[str, Any]:
    """A critique as plain JSON values."""
    return {
        "critic": critique.critic,
        "bank": critique.bank,
        "bank_hash": critique.bank_hash,
        "answers": dict(critique.answers),
        "summary": critique.summary,
        "weaknesses": list(critique.weaknesses),
        "usage": asdict(critique.usage),
    }


def critique_from(plain: Mapping[str, Any]) -> Critique:
    """The critique that `as_plain` wrote."""
    return Critique(
        critic=plain["critic"],
        bank=plain["bank"],
        bank_hash=plain["bank_hash"],
        answers=plain["answers"],
        summary=plain["summary"],
        weaknesses=tuple(plain["weaknesses"]),
        usage=Usage(**plain["usage"]),
    )
