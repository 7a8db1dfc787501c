"""Asking the critic: exhibits -> critiques and duels, each paid for once.

Takes a critic and the store's `inputs`. A critic that answers at once, from what is already here, is simply asked. Any
other's replies come from outside: they are written to `inputs` on arrival, with the first cycle that may use them, and
never asked for again, however often the process is killed. A critic that is down leaves the question open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, TypeVar

from gen_emerge.protocols import Critic, CriticDown
from gen_emerge.state import MAX_DEPTH
from gen_emerge.store import Store
from gen_emerge.types import Critique, Duel, DuelReply, Exhibit, Input, QuestionBank, Usage

_T = TypeVar("_T")


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
        self._talks = None if critic.immediate else ThreadPoolExecutor(MAX_DEPTH + 1, thread_name_prefix="talk")
        self._replies: dict[tuple[Any, ...], tuple[int, Mapping[str, Any]]] = {}
        self._down: dict[tuple[int, tuple[Any, ...]], str] = {}
        self._troubles: dict[int, set[str]] = defaultdict(set)
        if not critic.immediate:
            changes = [(item.id, item.first_cycle) for item in store.inputs_of("config")]
            for reply in store.inputs_of("critic"):
                if not _void(reply, changes):
                    self._remember(reply.payload, reply.first_cycle)
            committed = store.committed()
            for item in store.inputs_of("critic-down"):
                if item.first_cycle > committed and not _void(item, changes):
                    self._down[item.first_cycle, _key(item.payload)] = item.payload.get("trouble", "")

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
            found = [(exhibit.candidate, self._review_now(exhibit, cycle)[0]) for exhibit in exhibits]
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
            replies: list[DuelReply | None] = [self._duel_now(left, right, cycle)[0] for left, right in pairs]
        else:
            lefts, rights = [left for left, _ in pairs], [right for _, right in pairs]
            replies = list(self._pool.map(self._duel_once, lefts, rights, [cycle] * len(pairs)))
        return [
            None if reply is None else self._as_duel(left, right, reply, purpose)
            for (left, right), reply in zip(pairs, replies, strict=True)
        ]

    def current(self, critique: Critique | None) -> bool:
        """Whether a critique is this critic's, to this bank: answers to other questions cannot be compared."""
        return critique is not None and (critique.critic, critique.bank_hash) == (self.critic.name, self._bank.hash)

    def first_used(self, asked: Mapping[str, Any]) -> int | None:
        """The first cycle that could use the reply to a question, None while there is none."""
        known = self._replies.get(_key({**asked, "critic": self.critic.name, "bank_hash": self._bank.hash}))
        return known[0] if known else None

    def converse(self, talk: Callable[[], _T]) -> Future[_T]:
        """Start a conversation of several questions beside the loop; only for a critic that takes its time."""
        assert self._talks is not None
        return self._talks.submit(talk)

    def troubles(self, cycle: int) -> list[str]:
        """What went wrong with the critic in one cycle, each thing once; told once, when all of it was asked."""
        # No later cycle looks at these, and other conversations may be adding theirs.
        for key in [key for key in list(self._down) if key[0] == cycle]:
            del self._down[key]
        return sorted(self._troubles.pop(cycle, ()))

    def close(self) -> None:
        """Wait for calls in flight, whose replies are paid for and kept; nothing more is asked."""
        for pool in (self._pool, self._talks):
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)

    def _as_duel(self, left: Exhibit, right: Exhibit, reply: DuelReply, purpose: str) -> Duel:
        return Duel(
            left=left.candidate,
            right=right.candidate,
            question="quality",
            outcome=reply.outcome,
            judge=self.critic.name,
            order="both",
            purpose="best" if purpose == "best" else "cell",
        )

    def _review_now(self, exhibit: Exhibit, cycle: int) -> tuple[Critique | None, str]:
        try:
            return self.critic.review(exhibit, brief=self._brief, bank=self._bank), ""
        except Exception as error:  # whatever a critic does, the cycle goes on and nothing is guessed
            return None, self._note(error, cycle)

    def _duel_now(self, left: Exhibit, right: Exhibit, cycle: int) -> tuple[DuelReply | None, str]:
        try:
            return self.critic.duel(left, right, brief=self._brief, bank=self._bank), ""
        except Exception as error:
            return None, self._note(error, cycle)

    def _note(self, error: Exception, cycle: int) -> str:
        kind = "is down" if isinstance(error, CriticDown) else f"raised {type(error).__name__}"
        self._troubles[cycle].add(trouble := f"{self.critic.name} {kind}: {error}"[:300])
        return trouble

    def _review_once(self, exhibit: Exhibit, cycle: int) -> Critique | None:
        payload: dict[str, Any] = {
            "ask": "review",
            "candidate": exhibit.candidate,
            "critic": self.critic.name,
            "bank_hash": self._bank.hash,
        }
        known, ask = self._known(payload, cycle)
        if not ask:
            return critique_from(known["critique"]) if known is not None else None
        critique, trouble = self._review_now(exhibit, cycle)
        self._keep(payload, None if critique is None else {"critique": as_plain(critique)}, cycle, trouble)
        return critique

    def _duel_once(self, left: Exhibit, right: Exhibit, cycle: int) -> DuelReply | None:
        payload: dict[str, Any] = {
            "ask": "duel",
            "left": left.candidate,
            "right": right.candidate,
            "critic": self.critic.name,
            "bank_hash": self._bank.hash,
        }
        known, ask = self._known(payload, cycle)
        if not ask:
            return _duel_from(known) if known is not None else None
        reply, trouble = self._duel_now(left, right, cycle)
        self._keep(payload, None if reply is None else asdict(reply), cycle, trouble)
        return reply

    def _known(self, asked: Mapping[str, Any], cycle: int) -> tuple[Mapping[str, Any] | None, bool]:
        """The reply this cycle may use, and whether the critic is to be asked: not again when it was down in it."""
        key = _key(asked)
        if key in self._replies and self._replies[key][0] <= cycle:
            return self._replies[key][1], False
        if (cycle, key) in self._down:
            self._troubles[cycle].add(self._down[cycle, key])
            return None, False
        return None, True

    def _keep(self, asked: Mapping[str, Any], reply: Mapping[str, Any] | None, cycle: int, trouble: str) -> None:
        """File what came back, or that nothing did: a cycle begun again after a kill must come to the same."""
        payload = {**asked, **(reply if reply is not None else {"trouble": trouble})}
        self._store.add_input("critic" if reply is not None else "critic-down", payload, first_cycle=cycle)
        if reply is not None:
            self._remember(payload, cycle)
        else:
            self._down[cycle, _key(asked)] = trouble

    def _remember(self, payload: Mapping[str, Any], cycle: int) -> None:
        """The earliest reply to a question is the one that counts."""
        key = _key(payload)
        if key not in self._replies or cycle < self._replies[key][0]:
            self._replies[key] = (cycle, payload)


def _void(item: Input, changes: Sequence[tuple[int, int]]) -> bool:
    """Whether the settings changed after a reply came and before its cycle: its candidates are other pictures now."""
    return any(number > item.id and first_cycle <= item.first_cycle for number, first_cycle in changes)


def _duel_from(plain: Mapping[str, Any]) -> DuelReply:
    return DuelReply(as_given=plain["as_given"], swapped=plain["swapped"], usage=Usage(**plain["usage"]))


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
