"""Pictures made elsewhere take slots of later cycles: whose turn it is, what kills change, and who may vary them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from loop_crew import NO_GATES, PROMPTS, RankCritic, Series, crew, rhythm
from PIL import Image as Pillow

from gen_emerge import imported, standing
from gen_emerge.emitters import all_emitters
from gen_emerge.emitters.bandit import Bandit
from gen_emerge.emitters.latent import FromPicture
from gen_emerge.errors import Damaged
from gen_emerge.fakes import FakeGenerator
from gen_emerge.fates import takes_of
from gen_emerge.generators.diffusion.calling import _fitted
from gen_emerge.generators.imported import Imported
from gen_emerge.imported import ROOM, TIMES_OURS, Imports, genome_of, planned, room
from gen_emerge.importing.reading import MAX_PIXELS
from gen_emerge.state import replay
from gen_emerge.store import keep, pixels_hash, read_import, read_recipe, sweep_imports
from gen_emerge.store.images import write
from gen_emerge.types import Image, Input, Sources


def picture(number: int, width: int = 50, height: int = 36) -> np.ndarray:
    """Waves of their own, unlike the fake generator's."""
    rng = np.random.default_rng(5000 + number)
    down, across = np.mgrid[0:height, 0:width] / width
    waves = [np.sin(2 * np.pi * (across * rng.uniform(1, 6) + down * rng.uniform(-6, 6))) for _ in range(3)]
    return np.rint(np.stack(waves, -1) * rng.uniform(30, 110) + 127).astype(np.uint8)


class Pile:
    """The pictures of a test, by the hash of their pixels."""

    def __init__(self) -> None:
        self.pixels: dict[str, np.ndarray] = {}

    def __call__(self, pixels: str) -> np.ndarray:
        if pixels not in self.pixels:
            raise Damaged("it is lost")
        return self.pixels[pixels]

    def payload(self, number: int, **changes: int) -> dict:
        pixels = picture(number, **changes)
        self.pixels[pixels_hash(pixels)] = pixels
        height, width = pixels.shape[:2]
        return {"prompt": f"a wave {number}", "negative": "", "pixels": pixels_hash(pixels)} | {
            "width": width,
            "height": height,
            **dict.fromkeys(("source", "picture", "picture_file", "original", "original_file"), "unused"),
        }


@pytest.fixture
def pile() -> Pile:
    return Pile()


def importing_crew(pile: Pile, **changes):
    return crew(**{"imports": Imported(pile), "gates": NO_GATES, **changes})


def bring(series: Series, pile: Pile, *numbers: int, **changes: int) -> list[str]:
    """Queue pictures as the command does; their genomes."""
    genomes = []
    for number in numbers:
        payload = pile.payload(number, **changes)
        assert series.store.add_import(payload) is not None
        genomes.append(genome_of(payload).hash)
    return genomes


def operators(series: Series, cycle: int) -> list[str]:
    return [candidate.genome.operator for candidate in series.store.candidates(cycle=cycle)]


def history(series: Series) -> list:
    return [
        (c.cycle, c.slot, c.genome.hash, c.image and c.image.pixels, c.status, c.cause)
        for c in series.store.candidates(current=True)
    ]


# ---- whose turn it is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_they_take_the_last_slots_of_the_cycle_proposed_after_their_first_oldest_first(series, pile, depth):
    made = series(importing_crew(pile, rhythm=rhythm(pipeline_depth=depth))).run(5)
    brought = bring(made, pile, *range(6))
    made.run(6 + depth)
    assert all("import" not in operators(made, cycle) for cycle in range(1, 7 + depth))
    made.run(9 + depth)
    first, second = 7 + depth, 8 + depth  # proposed from the commits 6 and 7: cycle 6 is the first that began later
    assert made.genomes_of(first) == brought[:4]
    assert made.genomes_of(second)[-2:] == brought[4:]
    assert operators(made, second)[-2:] == ["import"] * 2 and "import" not in operators(made, second)[:-2]
    assert "import" not in operators(made, 9 + depth)


def test_their_turn_can_be_told_beforehand(series, pile):
    made = series(importing_crew(pile, rhythm=rhythm(pipeline_depth=2))).run(4)
    bring(made, pile, *range(9))
    arguments = {"depth": 2, "batch": 4, "warmup": 2, "pixels": room(4, 64, 64)}

    def told() -> dict[str, int]:
        proposals = made.store.pending_proposals(made.state.cycle)
        flying = {p.genome.hash for those in proposals.values() for p in those}
        waiting = Imports(
            made.store.inputs_of("import"), known=lambda g: g in flying or made.state.rendered(g)
        ).waiting()
        return planned(waiting, proposals, committed=made.state.cycle, **arguments)

    before = told()
    made.run(6)
    bring(made, pile, 9)
    between = told()
    made.run(12)
    found = {c.genome.hash: c.cycle for c in made.store.candidates() if c.genome.imported}
    assert sorted(before.values()) == [8] * 4 + [9] * 4 + [10] and len(between) == 10
    assert found == between and before.items() <= found.items()


def test_a_cycle_takes_no_more_of_them_than_have_room_in_memory_and_always_one(series, pile, monkeypatch):
    ours = 4 * rhythm().width * rhythm().height
    assert room(4, rhythm().width, rhythm().height) == ROOM >= MAX_PIXELS > TIMES_OURS * ours
    assert room(512, 1024, 1024) == 4 * 512 * 1024 * 1024
    monkeypatch.setattr(imported, "ROOM", 0)
    monkeypatch.setattr(imported, "TIMES_OURS", 100 * 100 / ours)  # so many pixels in all
    calm, killed = (series(importing_crew(pile)).run(4) for _ in range(2))
    sizes = [(50, 60), (50, 80), (50, 60), (30, 30), (200, 70), (50, 30), (50, 30), (50, 30), (50, 30), (50, 30)]
    for made in (calm, killed):
        brought = [bring(made, pile, n, width=w, height=h)[0] for n, (w, h) in enumerate(sizes)]
    first = calm.state.cycle + 3
    waits = [(5, genome_of(item.payload)) for item in calm.store.inputs_of("import")]
    cycles = planned(waits, {}, committed=4, depth=1, batch=4, pixels=10_000, warmup=2)
    calm.run(first + 4)
    for cycle in range(5, first + 5):
        killed.reopen().run(cycle)
    assert history(killed) == history(calm)
    taken = [[g for g in calm.genomes_of(cycle) if g in brought] for cycle in range(first, first + 5)]
    # A whole cycle's room, one that no cycle has room for, and as many as there are slots.
    assert taken == [brought[:3], brought[3:4], brought[4:5], brought[5:9], brought[9:]]
    assert [cycles[genome] - first for genome in brought] == [0, 0, 0, 1, 2, 3, 3, 3, 3, 4]


def test_of_the_warm_up_they_take_no_slot(series, pile):
    made = series(importing_crew(pile, rhythm=rhythm(warmup_cycles=4)))
    brought = bring(made, pile, 0, 1)
    made.run(8)
    assert [cycle for cycle in range(1, 9) if "import" in operators(made, cycle)] == [6]  # 4 is the first with a map
    assert made.genomes_of(6)[-2:] == brought
    # What was measured in the warm-up is what it would have been: thresholds and axes come of our own draws.
    other = series(importing_crew(pile, rhythm=rhythm(warmup_cycles=4))).run(8)
    assert made.state.calibration.hash == other.state.calibration.hash
    assert made.state.archive.axes == other.state.archive.axes


def test_the_same_pixels_are_queued_once(series, pile):
    made = series(importing_crew(pile)).run(3)
    bring(made, pile, 0)
    assert made.store.add_import({**pile.payload(0), "prompt": "other words"}) is None
    made.run(7)
    assert sum(operators(made, cycle).count("import") for cycle in range(1, 8)) == 1


def test_the_report_is_told_when_they_are_heard(series, pile):
    made = series(importing_crew(pile)).run(3)
    bring(made, pile, 0, 1)
    made.run(5)
    events = [(cycle, event.message) for cycle, event in made.store.events() if event.kind == "import"]
    assert events == [(4, "2 pictures were imported; slots of cycles to come are theirs.")]


# ---- kills change nothing ------------------------------------------------------------------------------------------


def test_a_replay_gives_the_live_state_and_kills_after_every_commit_the_same_history(series, pile):
    calm = series(importing_crew(pile)).run(4)
    bring(calm, pile, *range(7))
    calm.run(11)
    again = replay(calm.store.history())
    assert again.digest() == calm.state.digest() and again.bandit == calm.state.bandit
    assert sum(c.genome.imported for c in calm.store.candidates()) == 7
    killed = series(importing_crew(pile)).run(4)
    bring(killed, pile, *range(7))
    for cycle in range(5, 12):
        killed.reopen().run(cycle)
    assert history(killed) == history(calm) and killed.state.digest() == calm.state.digest()


def test_a_kill_amid_a_cycle_changes_nothing(series, pile):
    strikes: list[int] = []

    def strength(candidate: int) -> int:
        if (candidate - 1) // 4 + 1 in strikes:
            raise KeyboardInterrupt
        return candidate * 7 % 5

    calm, killed = (
        series(importing_crew(pile, critic=RankCritic(strength, immediate=True)), name).run(4) for name in "ab"
    )
    for made in (calm, killed):
        bring(made, pile, *range(5))
    calm.run(11)
    for at in (5, 6, 7, 8, 9):
        strikes[:] = [at]
        with pytest.raises(KeyboardInterrupt):
            killed.reopen().run(11)
        assert killed.store.starts(at) >= 1 and killed.store.committed() == at - 1
    strikes.clear()
    killed.reopen().run(11)
    assert sum(c.genome.imported for c in calm.store.candidates()) == 5
    assert history(killed) == history(calm) and killed.state.digest() == calm.state.digest()


def test_what_arrives_before_or_after_a_commit_is_taken_at_the_same_turn(series, pile):
    """The clock decides nothing: only the first cycle that stands with the input."""
    payload = pile.payload(0)

    def with_arrival(at: int, *, again: bool) -> Series:
        made = series(importing_crew(pile, rhythm=rhythm(pipeline_depth=2))).run(at)
        made.store.add_input("import", payload, first_cycle=8)
        return (made.reopen() if again else made).run(12)

    first, *others = (with_arrival(at, again=again) for at, again in ((3, False), (3, True), (7, False), (7, True)))
    assert [c.cycle for c in first.store.candidates() if c.genome.imported] == [11]
    assert all(history(other) == history(first) for other in others)


# ---- what becomes of them ------------------------------------------------------------------------------------------


def test_hard_filters_see_them_and_every_size_is_measured(series, pile):
    made = series(importing_crew(pile)).run(4)
    bring(made, pile, 0, width=30, height=30)
    bring(made, pile, 1, width=200, height=33)
    bring(made, pile, 2, width=33, height=90)
    made.run(7)
    small, wide, tall = (c for c in made.store.candidates(current=True) if c.genome.imported)
    assert (small.status, small.cause) == ("rejected", "too-small")
    assert (wide.image.width, wide.image.height, wide.status) == (200, 33, "passed")
    assert (tall.image.width, tall.image.height, tall.status) == (33, 90, "passed")
    placed = {p.candidate for record in made.records for p in record.placements}
    assert {wide.id, tall.id} <= placed and small.id not in placed


def test_a_lost_import_fails_alone_and_our_own_are_rendered_in_their_batch(series, pile):
    class Counting(FakeGenerator):
        batches: list[int] = []  # noqa: RUF012

        def render(self, genomes):
            self.batches.append(len(genomes))
            return super().render(genomes)

    made = series(importing_crew(pile, generator=Counting())).run(4)
    _, lost = bring(made, pile, 0, 1)
    pile.pixels.pop(pile.payload(1)["pixels"])
    made.run(6)
    Counting.batches.clear()
    made.run(7)
    found = {c.genome.hash: c for c in made.store.candidates(cycle=7)}
    assert found[lost].status == "failed" and "it is lost" in found[lost].cause
    assert [c.status for c in found.values()].count("failed") == 1
    assert Counting.batches == [2]


def test_a_picture_whose_candidate_lost_its_file_is_read_again_as_it_was_kept(series, pile, monkeypatch):
    def gone(self: Series, image: Image) -> np.ndarray:
        raise Damaged("gone")

    monkeypatch.setattr(Series, "_load", gone)
    made = series(importing_crew(pile)).run(4)
    (brought,) = bring(made, pile, 0)
    made.run(7)
    (candidate,) = (c for c in made.store.candidates() if c.genome.hash == brought)
    assert (made.live.picture(candidate) == picture(0)).all()


def test_other_settings_leave_a_waiting_import_as_it_is(series, pile):
    class Next(FakeGenerator):
        version = "fake-2"

    made = series(importing_crew(pile)).run(4)
    brought = bring(made, pile, 0, 1)
    made.run(5)  # they stand in the proposals of cycle 7 by now
    made.reopen(generator=Next(), rhythm=rhythm(width=48)).run(8)
    assert [c.genome.hash for c in made.store.candidates() if c.genome.imported] == brought
    assert {c.genome.generator_version for c in made.store.candidates(cycle=6) if not c.genome.imported} == {"fake-2"}


# ---- whose merit, whose parent -------------------------------------------------------------------------------------


def test_no_emitter_is_credited_for_them_and_a_cycle_of_them_alone_lets_nothing_fade(series, pile):
    made = series(importing_crew(pile)).run(4)
    bring(made, pile, *range(7))
    bring(made, pile, 7, width=20, height=20)  # turned away
    made.run(6)
    before = {name: (c.tries, c.wins, c.total_tries) for name, c in made.state.bandit.credits.items()}
    made.run(7)
    assert operators(made, 7) == ["import"] * 4
    assert {p.outcome for p in made.record(7).placements} & {"new", "won"}
    assert {name: (c.tries, c.wins, c.total_tries) for name, c in made.state.bandit.credits.items()} == before
    made.run(9)
    assert "import" not in made.state.bandit.credits
    tried = sum(credit.total_tries for credit in made.state.bandit.credits.values())
    assert tried == 9 * 4 - 8


def test_an_import_that_waits_for_a_slow_critic_credits_nobody_later(series, pile):
    critic = RankCritic(lambda candidate: 5, mute={"all"})
    made = series(importing_crew(pile, critic=critic, rhythm=rhythm(pipeline_depth=0))).run(4)
    bring(made, pile, *range(4))
    made.run(6)
    critic.mute.clear()
    made.run(9)
    late = [p for r in made.records if r.cycle > 6 for p in r.placements if p.outcome in ("new", "won")]
    imported = {c.id for c in made.store.candidates() if c.genome.imported}
    assert imported & {p.candidate for p in late}
    assert "import" not in made.state.bandit.credits
    won = sum(credit.total_opened + credit.total_won for credit in made.state.bandit.credits.values())
    everything = [p.candidate for r in made.records for p in r.placements if p.outcome in ("new", "won")]
    assert won == len([candidate for candidate in everything if candidate not in imported])


def test_a_bandit_that_learned_nothing_forgets_nothing():
    bandit = Bandit()
    bandit.learn([("fresh", "new"), ("vary", None)])
    bandit.learn([], late=[("vary", "won")], fade=False)
    assert (bandit.credits["fresh"].tries, bandit.credits["vary"].tries, bandit.credits["vary"].wins) == (1, 1, 1)


class Painting(FakeGenerator):
    """Can begin from a picture."""

    abilities = frozenset({"image", "noise"})


def test_only_image_to_image_takes_an_imported_elite_for_a_parent(series, pile):
    emitters = all_emitters(Painting.abilities)
    # Imports win whatever cell they come to, and so they hold most of the map.
    critic = RankCritic(lambda candidate: 9 if candidate > 16 else 0, immediate=True)
    made = series(importing_crew(pile, generator=Painting(), emitters=emitters, critic=critic)).run(4)
    imported = set(bring(made, pile, *range(24)))
    made.run(40)
    children = [c for c in made.store.candidates() if imported & set(c.genome.parents)]
    assert children and {c.genome.operator for c in children} == {"image"}
    assert all(child.genome.start in imported and child.genome.generator == "fake" for child in children)
    assert all(child.genome.prompt.startswith("a wave") for child in children)
    assert {c.genome.operator for c in made.store.candidates()} >= {"mutate", "crossover", "vary", "reseed"}


def test_a_map_of_imports_alone_is_drawn_from_afresh(pile):
    imports = tuple(genome_of(pile.payload(number)) for number in range(3))
    sources = Sources(
        bank=PROMPTS,
        parameters={"tilt": (0.0, 1.0)},
        abilities=frozenset({"image", "noise"}),
        pictures=imports,
        picture_weights=np.array([1.0, 3.0, 0.0]),
    )
    emitters = all_emitters(sources.abilities)
    drawn = {n: e.propose(sources, np.random.default_rng(1)) for n, e in emitters.items()}
    assert {name for name, sketch in drawn.items() if sketch is not None} == {"fresh", "wildcards", "image"}
    starts = [FromPicture().propose(sources, np.random.default_rng(seed)).start for seed in range(400)]
    shares = [starts.count(genome.hash) / 400 for genome in imports]
    assert shares == pytest.approx([0.25, 0.75, 0.0], abs=0.07)


# ---- files ---------------------------------------------------------------------------------------------------------


def test_what_is_kept_is_the_pixels_and_the_file_byte_for_byte(tmp_path: Path):
    original = tmp_path / "Photo.JPG"
    Pillow.fromarray(picture(3)).save(original, "JPEG")
    pixels = np.asarray(Pillow.open(original))
    with original.open("rb") as file:
        file.read(9)  # wherever it stands
        kept = keep(tmp_path / "night", pixels, file, ".JPG")
        assert keep(tmp_path / "night", pixels, file, ".JPG") == kept
    assert kept["picture"] == f"imports/{pixels_hash(pixels)[:2]}/{pixels_hash(pixels)}.png"
    assert kept["original"].endswith(f"{kept['original_file']}.original.jpg")
    assert (tmp_path / "night" / kept["original"]).read_bytes() == original.read_bytes()
    assert (read_import(tmp_path / "night", pixels_hash(pixels)) == pixels).all()
    assert not list((tmp_path / "night").rglob("*.draft"))
    assert sweep_imports(tmp_path / "night", {kept["original"]}) == 1
    with pytest.raises(Damaged):
        read_import(tmp_path / "night", pixels_hash(pixels))


def test_other_pixels_under_its_name_are_refused(tmp_path: Path):
    original = tmp_path / "a.png"
    Pillow.fromarray(picture(3)).save(original)
    with original.open("rb") as file:
        kept = keep(tmp_path, picture(3), file, ".png")
    Pillow.fromarray(picture(4)).save(tmp_path / kept["picture"])
    with pytest.raises(Damaged, match="does not hold the pixels"):
        read_import(tmp_path, pixels_hash(picture(3)))


def test_its_png_does_not_say_that_we_painted_it(tmp_path: Path, pile):
    genome = genome_of(pile.payload(0))
    image = write(tmp_path, genome, picture(0), series="night")
    with Pillow.open(io.BytesIO((tmp_path / image.path).read_bytes())) as opened:
        assert set(opened.info) & {"parameters", "gen-emerge"} == {"gen-emerge"}
    again = read_recipe(tmp_path / image.path)
    assert again == genome and again.generator == "import" and again.seed == 0
    ours = replace(genome, generator="painter")
    with Pillow.open(tmp_path / write(tmp_path, ours, picture(0), series="night").path) as opened:
        assert "parameters" in opened.info


def test_the_genome_is_named_by_its_pixels_and_its_words(pile):
    one, other = pile.payload(0), pile.payload(1)
    assert genome_of(one).hash != genome_of(other).hash != genome_of({**other, "prompt": "b"}).hash
    assert genome_of({**one, "source": "elsewhere.png"}) == genome_of(one)
    item = Input(id=1, kind="import", first_cycle=3, payload=one)
    waiting = Imports([item, item], known=lambda genome: False)
    assert waiting.waiting() == [(3, genome_of(one))]
    assert waiting.due(2, 4, pixels=ROOM, known=lambda genome: False) == []
    assert waiting.due(3, 4, pixels=ROOM, known=lambda genome: False) == [genome_of(one)]
    assert waiting.due(4, 4, pixels=ROOM, known=lambda genome: True) == [] == waiting.waiting()


def test_a_picture_larger_than_the_room_is_due_all_the_same(pile):
    items = [Input(id=n, kind="import", first_cycle=1, payload=pile.payload(n)) for n in (1, 2)]
    waiting = Imports(items, known=lambda genome: False)
    assert waiting.due(1, 4, pixels=50 * 36 - 1, known=lambda genome: False) == [genome_of(items[0].payload)]


def test_to_begin_from_a_picture_of_another_shape_its_middle_is_taken():
    pixels = np.zeros((60, 120, 3), np.uint8)
    pixels[:, :30], pixels[:, 90:], pixels[:, 30:90] = (255, 0, 0), (0, 0, 255), (0, 200, 0)
    fitted = np.asarray(_fitted(pixels, 30, 30))
    assert fitted.shape == (30, 30, 3) and (fitted[:, 4:-4] == (0, 200, 0)).all()
    assert np.abs(fitted.astype(int) - (0, 200, 0)).max() < 40  # the filter reaches a little beyond the edge
    assert (np.asarray(_fitted(pixels, 120, 60)) == pixels).all()


@pytest.mark.parametrize("reopened", [False, True])
def test_each_takes_the_place_of_a_genome_with_all_its_takes(series, pile, reopened):
    """In a series with two takes of every genome; also when other settings arrive while they wait."""
    made = series(importing_crew(pile, rhythm=rhythm(best_of=2, pipeline_depth=1))).run(4)
    brought = bring(made, pile, 0, 1, 2)
    cycle = 7  # proposed from the commit 5, the first that was begun later
    made.run(5)
    if reopened:
        made.reopen(generator=other_generator())
    made.run(9)
    own, others = made.store.candidates(cycle=cycle)[:2], made.store.candidates(cycle=cycle)[2:]
    assert [c.genome.hash for c in others] == brought and [c.slot for c in others] == [2, 3, 4]
    assert not any(c.cause == "selector" for c in others)
    assert own[0].genome.recipe() | {"seed": 0} == own[1].genome.recipe() | {"seed": 0}
    assert sum(c.cause == "selector" for c in own) == 1
    assert len(made.store.candidates(cycle=cycle + 1)) == 8
    groups = [takes for outcome in made.store.history() if outcome.cycle == cycle for takes in takes_of(outcome)]
    assert [len(takes) for takes in groups] == [2, 1, 1, 1]
    assert replay(made.store.history()).digest() == made.state.digest()


def test_the_pace_counts_the_images_there_are(series, pile):
    made = series(importing_crew(pile, rhythm=rhythm(best_of=3))).run(4)
    bring(made, pile, *range(6))
    made.run(8)
    images = [len(made.store.candidates(cycle=cycle)) for cycle in range(1, 9)]
    assert sorted(set(images)) == [4, 8, 12]  # all of them imported, half of them, none
    seconds = [cycle.cycle_seconds for cycle in made.store.cycles()]
    assert standing.images_per_minute(made.store) == pytest.approx(60 * sum(images) / sum(seconds), abs=0.05)
    made.run(28)
    seconds = [cycle.cycle_seconds for cycle in made.store.cycles()][8:]
    assert standing.images_per_minute(made.store) == pytest.approx(60 * 12 * 20 / sum(seconds), abs=0.05)


def other_generator() -> FakeGenerator:
    generator = FakeGenerator()
    generator.version = "another-version"
    return generator
