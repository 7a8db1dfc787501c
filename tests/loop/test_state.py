"""The state of a series is a fold over its history: live and replayed agree, and nothing is lost or kept too long."""

from __future__ import annotations

import pytest
from loop_crew import Series, crew, rhythm

from gen_emerge.calibration.first import GateSetting
from gen_emerge.state import TURNED_AWAY_KEPT, State, funnel, replay
from gen_emerge.types import GATES, Axes, CycleOutcome, Fate, Placement, Resolution

CYCLES = 25


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """One run of 25 cycles with every gate firing, check-ins, and a human's answers on the way."""
    tight = {
        "quality": GateSetting(lower=0.1, review=0.08),
        "prompt": GateSetting(),
        "style": GateSetting(upper="auto"),
        "novelty": GateSetting(),
    }
    made = Series(
        tmp_path_factory.mktemp("state") / "night",
        crew(rhythm=rhythm(batch=8, checkin_every=5, dims=(5, 5), cells=25), gates=tight),
    )
    for cycles in (8, 14, CYCLES):
        made.run(cycles)
        for asked in made.store.rounds():
            for question in asked.questions:
                if question.kind == "review":
                    made.answer(question.id, "keep" if question.images["only"] % 2 else "discard")
                elif question.kind == "pair":
                    made.answer(question.id, "left")
    yield made
    made.stop()


def fields(state):
    """Every field as a plain value."""
    plain = {name: value for name, value in vars(state).items() if name not in ("archive", "bandit")}
    archive = state.archive
    plain["axes"] = archive.axes
    plain["elites"] = list(archive)
    plain["reigns"] = {cell: archive.ever_held(cell) for cell in range(archive.axes.cells)}
    plain["reigns as of"] = [
        archive.holder_as_of(cell, cycle) for cell in range(archive.axes.cells) for cycle in range(CYCLES + 1)
    ]
    plain["bandit"] = state.bandit.credits
    plain["digest"] = state.digest()
    return plain


def test_the_run_this_file_looks_at_has_seen_everything(night):
    state = night.state
    assert state.cycle == CYCLES and state.candidates == 8 * CYCLES
    assert len(state.archive) >= 8 and state.calibration is not None
    assert state.statuses["rejected"] and state.statuses["review"] and state.statuses["passed"]
    outcomes = {p.outcome for record in night.records for p in record.placements}
    assert outcomes >= {"new", "won", "lost"}
    assert any(duel.judge.startswith("human:") for duel in state.duels)
    assert any(resolution.cause == "human" for record in night.records for resolution in record.resolutions)


def test_replaying_the_history_gives_exactly_the_live_state(night):
    live, replayed = fields(night.state), fields(replay(night.store.history()))
    assert set(live) == set(replayed)
    for name, value in live.items():
        assert replayed[name] == value, name


def test_replaying_half_and_then_the_rest_gives_the_same(night):
    state = State()
    for outcome in night.store.history():
        if outcome.cycle <= 11:
            state.apply(outcome)
    for outcome in night.store.history(after=11):
        state.apply(outcome)
    assert fields(state) == fields(night.state)


def test_every_order_that_matters_survives_the_store(night):
    replayed = replay(night.store.history())
    assert list(replayed.accepted) == list(night.state.accepted)
    assert list(replayed.waiting) == list(night.state.waiting)


def test_the_counts_add_up(night):
    counts = night.state.statuses
    assert sum(counts[word] for word in ("passed", "review", "pending", "failed", "rejected")) == 8 * CYCLES
    said = funnel(night.state, GATES)
    assert said["total"] == counts["rejected"] == sum(said["filters"].values()) + sum(said["gates"].values())
    assert set(said["gates"]) <= set(GATES) and len(said["gates"]) >= 2
    now = [candidate.status for candidate in night.store.candidates(current=True)]
    assert {word: now.count(word) for word in set(now)} == {word: n for word, n in counts.items() if n}


def test_accepted_is_what_passed_and_nothing_that_was_refused(night):
    now = {candidate.id: candidate for candidate in night.store.candidates(current=True)}
    passed = {number for number, candidate in now.items() if candidate.status == "passed"}
    assert set(night.state.accepted) == passed
    assert all(night.state.accepted[number] == now[number].genome.hash for number in passed)


def test_the_genomes_of_rejected_candidates_are_not_kept(night):
    refused = {c.id for c in night.store.candidates(current=True) if c.status in ("rejected", "failed")}
    assert refused and not refused & set(night.state.genomes)
    assert set(night.state.genomes) == set(night.state.accepted) | set(night.state.waiting)


def test_every_rendered_genome_is_known_also_the_refused(night):
    assert all(night.state.rendered(candidate.genome.hash) for candidate in night.store.candidates())
    assert not night.state.rendered("0" * 64)


def test_the_digest_does_not_depend_on_the_name_of_the_series(series):
    plan = crew(rhythm=rhythm(batch=4))
    first, second = series(plan, "dusk").run(6), series(plan, "dawn").run(6)
    assert first.folder.name != second.folder.name
    assert first.state.digest() == second.state.digest()
    assert len(first.state.archive) > 3


def test_the_digest_depends_on_the_seed_and_on_every_cycle(series):
    first, other = series(crew()).run(5), series(crew(rhythm=rhythm(seed=8))).run(5)
    digests = [first.state.digest(), other.state.digest()]
    states = State()
    for outcome in first.store.history():
        digests.append(states.digest())
        states.apply(outcome)
    assert len(set(digests)) == len(digests) == 7


def test_a_kill_between_any_two_cycles_changes_nothing(series):
    whole, killed = series(crew()).run(9), series(crew())
    for cycles in range(1, 10):
        killed.run(cycles).reopen()
    assert killed.state.digest() == whole.state.digest()
    assert fields(killed.state) == fields(whole.state)
    assert [killed.genomes_of(c) for c in range(1, 10)] == [whole.genomes_of(c) for c in range(1, 10)]


def fate(number, status, cause="", pixels=None):
    return Fate(
        id=number, slot=0, genome=f"{number:064x}", pixels=pixels, operator="fresh", parents=(), status=status,
        cause=cause,
    )  # fmt: skip


def fold(*outcomes):
    return replay(outcomes)


def test_the_digest_counts_cycles_and_knows_who_waits_for_what():
    once = CycleOutcome(cycle=1, fates=(fate(1, "passed"),))
    assert fold(once).digest() != fold(once, CycleOutcome(cycle=2, fates=())).digest()
    outcomes = [("passed", ""), ("pending", "duel"), ("pending", "warm-up"), ("review", "style"), ("rejected", "style")]
    states = [fold(CycleOutcome(cycle=1, fates=(fate(1, *each),))) for each in outcomes]
    digests = [state.digest() for state in states]
    assert len(set(digests)) == 4 and digests[3] == digests[4], "who waits for a human is in neither list"


def test_a_reviewed_image_is_accepted_only_once_a_human_kept_it():
    waiting = CycleOutcome(cycle=1, fates=(fate(1, "review", "quality"), fate(2, "review", "style")))
    before = fold(waiting)
    assert not before.accepted and before.waiting == {1: ("review", "quality"), 2: ("review", "style")}
    kept = Resolution(candidate=1, status="passed", cause="human")
    gone = Resolution(candidate=2, status="rejected", cause="style")
    after = fold(waiting, CycleOutcome(cycle=2, fates=(), resolutions=(kept, gone)))
    assert set(after.accepted) == {1} and not after.waiting
    assert after.statuses["review"] == 0 and after.candidates == 2
    assert funnel(after, GATES) == {"total": 1, "filters": {}, "gates": {"style": 1}}


def test_who_waits_for_a_duel_is_accepted_and_who_waits_for_the_warm_up_is_not():
    state = fold(CycleOutcome(cycle=1, fates=(fate(1, "pending", "duel"), fate(2, "pending", "warm-up"))))
    assert set(state.accepted) == {1}
    assert set(state.waiting) == {1, 2}


def test_a_filter_and_a_gate_are_counted_apart():
    refused = (fate(1, "rejected", "black"), fate(2, "rejected", "quality"), fate(3, "rejected", "black"))
    state = fold(CycleOutcome(cycle=1, fates=refused))
    assert funnel(state, GATES) == {"total": 3, "filters": {"black": 2}, "gates": {"quality": 1}}


def test_pixels_of_every_picture_are_remembered_also_of_refused_ones():
    state = fold(CycleOutcome(cycle=1, fates=(fate(1, "rejected", "black", pixels="ab" * 32),)))
    assert state.pixels == {bytes.fromhex("ab" * 32)}


def test_a_candidate_outside_the_ranges_is_counted_once_however_often_it_is_placed():
    def placed(candidate, outcome, incumbent=None, reason="critic"):
        return Placement(
            candidate=candidate,
            cell=1,
            descriptor=(9.0,),
            descriptor_version=1,
            outcome=outcome,
            incumbent=incumbent,
            clipped=True,
            reason=reason,
        )

    axes = Axes(version=1, kind="grid", names=("x",), low=(0.0,), high=(1.0,), dims=(3,))
    fates = (fate(1, "passed"), fate(2, "pending", "duel"))
    first = CycleOutcome(cycle=1, fates=fates, axes=axes, placements=(placed(1, "new"), placed(2, "pending", 1)))
    second = CycleOutcome(cycle=2, fates=(), placements=(placed(2, "pending", 1),))
    third = CycleOutcome(
        cycle=3, fates=(), placements=(placed(2, "lost", 1), placed(2, "won", 1, "human")),
        resolutions=(Resolution(candidate=2, status="passed"),),
    )  # fmt: skip
    assert [len(fold(first).clipped), len(fold(first, second).clipped)] == [2, 2]
    assert fold(first, second).contested[2][1] == 2
    assert len(fold(first, second, third).clipped) == 2 and not fold(first, second, third).contested


def test_images_that_a_gate_turned_away_are_remembered_the_newest_and_no_others():
    state = State()

    def enter(number, status, cause):
        genome = f"{number:064x}"
        state.add_fate(
            Fate(id=number, slot=0, genome=genome, pixels="", operator="fresh", parents=(), status=status, cause=cause)
        )

    count = TURNED_AWAY_KEPT + 40
    for number in range(1, count + 1):
        enter(number, "rejected", "quality" if number % 2 else "novelty")
    for number, cause in enumerate(("blank", "selector", "rule: dark"), start=count + 1):
        enter(number, "rejected", cause)
    assert list(state.turned_away) == list(range(41, count + 1))
    enter(9000, "review", "quality")
    state.resolve(Resolution(candidate=9000, status="rejected", cause="quality"))
    assert 9000 not in state.turned_away
