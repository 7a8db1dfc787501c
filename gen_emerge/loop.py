"""The whole loop on one screen: prompts + elites -> genome -> image -> filters -> signals -> gates -> critic -> map.

Data goes one way. Two doors lead back: the archive shapes the next proposals, human judgements come in at a boundary.
A cycle is a transaction: its images are saved first, everything derived from them is committed at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from gen_emerge.cycle import Draft
from gen_emerge.engines.local import LocalEngine
from gen_emerge.gating import judge
from gen_emerge.hearing import check_in, hear, overrule
from gen_emerge.learned_axes import refit
from gen_emerge.learning import learn
from gen_emerge.live import Live
from gen_emerge.placing import challenge
from gen_emerge.relaying import lay_again
from gen_emerge.types import CycleRecord
from gen_emerge.watching import watch


def run(
    live: Live,
    engine: LocalEngine,
    *,
    cycles: int,
    tell: Callable[[CycleRecord], None] = lambda record: None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Run a series until `cycles` cycles are committed in all, a round has to be waited for, or `stop` says so.

    Args:
        live: the state replayed to the last commit, and everything derived from it.
        engine: renders and saves, ahead of the loop by `pipeline_depth` cycles.
        cycles: the total, those already committed included.
        tell: called after every commit.
        stop: asked after every commit.

    Raises:
        DiskFull: the disk is full; everything committed is still there.
    """
    clock = time.perf_counter()
    for cycle in range(live.state.cycle + 1, cycles + 1):
        start_renders(live, engine, cycle, cycles)  # genome -> image, in the background
        draft = begin(live, engine, cycle)  # image -> filters -> signals -> gates -> critic
        while not answered(live, engine, draft):  # a slow critic talks: the next cycles begin meanwhile
            begin(live, engine, max(live.ahead) + 1)
        draft.listen()  # critic ->
        lay_again(draft)  # learned axes -> another map
        overrule(draft)  # judgements -> duels
        challenge(draft)  # duels -> cells
        check_in(draft)  # now and then -> a round
        learn(draft)  # a round that was answered -> thresholds to come
        refit(draft)  # triplets -> axes to come
        watch(draft)  # what moved -> alarms, and what follows from them
        now = time.perf_counter()
        record = live.advance(draft.record(seconds=now - clock))  # -> the next proposals
        live.store.commit(record)
        clock = now
        tell(record)
        if stop() or (live.crew.rhythm.wait_at_checkin and record.round and record.round.reason == "scheduled"):
            return


def begin(live: Live, engine: LocalEngine, cycle: int) -> Draft:
    """The first half of a cycle: everything up to the questions to the critic."""
    if cycle not in live.ahead:
        draft = Draft(cycle, live)
        draft.develop(engine.take(cycle))  # image -> hard filters
        live.ahead[cycle] = draft
        hear(draft, live.store.inputs(cycle, cycle))  # judgements -> boundary
        draft.measure()  # -> defects, signals, one take of each genome
        judge(draft)  # signals + calibration -> pass / fail / review
        draft.ask()  # survivors -> critic
    return live.ahead[cycle]


def answered(live: Live, engine: LocalEngine, draft: Draft) -> bool:
    """Wait for the critic, or for the next cycle's images where it may begin before: False then.

    When either comes does not matter to the result: a first half reads nothing that an open conversation can change.
    """
    following = max(live.ahead) + 1
    if draft.talk is None or live.state.archive is None or not engine.has(following):
        return True
    either: list[Future[Any]] = [draft.talk, engine.rendering(following)]
    wait(either, return_when=FIRST_COMPLETED)
    return draft.talk.done()


def start_renders(live: Live, engine: LocalEngine, cycle: int, cycles: int) -> None:
    """Start what may be started: this cycle and `pipeline_depth` more, each with an attempt written first."""
    rhythm = live.crew.rhythm
    last = min(cycle + rhythm.pipeline_depth, cycles)
    if rhythm.wait_at_checkin and rhythm.checkin_every:
        # Nothing is begun past a check-in that is waited for: its answers count in the very next cycle.
        last = min(last, -(-cycle // rhythm.checkin_every) * rhythm.checkin_every)
    for ahead in range(cycle, last + 1):
        if ahead not in live.ahead and not engine.has(ahead):
            # Begun first: whatever comes from outside after that is for a later cycle.
            starts = live.store.begin(ahead, time.time())
            genomes = [proposal.genome for proposal in live.proposed(ahead)]
            if starts > 1 and (starts - 1) % rhythm.max_attempts == 0:
                for genome, error in live.crew.probe(genomes).items():
                    live.store.add_input("quarantine", {"genome": genome, "error": error}, first_cycle=ahead)
                    live.banned[genome] = error
            engine.submit(ahead, genomes, banned=live.banned)
