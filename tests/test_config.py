"""A series file: what is read, what is refused, and what is written."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gen_emerge.config import KNOWN, Known, as_table, changed_fixed, fixed, load, parse, write_series
from gen_emerge.config.tables import DEFAULT_BRIEF, MEASURES
from gen_emerge.errors import BadConfig, NotFound

FULL: dict[str, Any] = {
    "schema": 1,
    "name": "full",
    "seed": 2**63 - 1,
    "profile": "embedded",
    "brief": 'Prints with "quotes", a \\ slash, a\nline, a\ttab, ü and 🎨 and \u2028.',
    "loop": {"batch": 16, "cycles": 3, "on_checkin": "wait", "pipeline_depth": 0, "checkin_every": 0},
    "image": {"width": 64, "height": 96},
    "prompts": {"bank": "prompts/other.toml"},
    "generator": {
        "use": "diffusion",
        "model": "x/y",
        "steps": 20,
        "guidance": 7.5,
        "lora": [{"a b": 1e-7}],
        "half": True,
    },
    "scorers": {"quality": {"use": "nima", "revision": "abc"}},
    "archive": {"kind": "grid", "axes": ["lightness", "quality", "detail"], "dims": [3, 4, 5]},
    "gates": {
        "quality": {"lower": 1, "upper": 2.5, "review": 0},
        "novelty": {"duplicate": "off", "lower": "off"},
        "style": {"lower": -0.5, "upper": "off"},
    },
    "filters": {"rules": [{"signal": "lightness", "below": 0.05}, {"signal": "detail", "above": 1, "name": "busy"}]},
    "critic": {"use": "measured", "bank": "prompts/questions/mine.toml"},
}


def _with(path: str, value: Any) -> dict[str, Any]:
    """A minimal table with one key set."""
    table: dict[str, Any] = {"name": "a"}
    here = table
    *parents, last = path.split(".")
    for part in parents:
        here = here.setdefault(part, {})
    here[last] = value
    return table


def _nested(depth: int) -> Any:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_only_the_name_is_needed_and_the_profile_fills_in_the_rest() -> None:
    config = parse({"name": "a"})
    assert (config.schema_, config.seed, config.profile, config.brief) == (1, 7, "embedded", DEFAULT_BRIEF)
    assert (config.loop.batch, config.loop.warmup_cycles, config.loop.pipeline_depth) == (8, 4, 1)
    assert (config.loop.max_attempts, config.loop.cycles, config.loop.checkin_every) == (3, 50, 25)
    assert config.loop.on_checkin == "continue"
    assert (config.image.width, config.image.height) == (512, 512)
    assert config.generator.use == "painter"
    assert {config.scorers.of(g).use for g in ("quality", "prompt", "novelty", "style")} == {"embedded"}
    assert (config.archive.kind, config.archive.axes, config.archive.dims) == (
        "grid",
        ("warmth", "edge_density"),
        (20, 20),
    )
    assert config.archive.cells == 400
    for gate in ("quality", "prompt", "novelty"):
        assert (config.gates.of(gate).lower, config.gates.of(gate).upper, config.gates.of(gate).review) == (
            "auto",
            "off",
            "auto",
        )
    assert (config.gates.style.lower, config.gates.style.upper) == ("auto", "auto")
    assert config.gates.novelty.duplicate == "auto"
    assert (config.critic.use, config.filters.rules) == ("measured", ())


def test_a_profile_is_only_what_is_chosen_where_the_file_says_nothing() -> None:
    config = parse({"name": "a", "profile": "diffusion", "scorers": {"quality": {"use": "embedded"}}})
    assert (config.generator.use, config.critic.use) == ("diffusion", "measured")
    assert (config.scorers.quality.use, config.scorers.prompt.use) == ("embedded", "clip")
    assert (config.scorers.style.use, config.loop.pipeline_depth) == ("clip-zero-shot", 1)
    live: dict[str, Any] = {"name": "a", "profile": "diffusion", "critic": {"use": "anthropic"}}
    assert parse(live).loop.pipeline_depth == 6
    assert parse({**live, "loop": {"pipeline_depth": 2}}).loop.pipeline_depth == 2


def test_the_diffusion_profile_fills_in_the_options_of_its_own_choices_only() -> None:
    config = parse({"name": "a", "profile": "diffusion", "generator": {"model": "x/y", "steps": 9}})
    assert config.generator.options["model"] == "x/y" and config.generator.options["steps"] == 9
    assert config.generator.options["dtype"] == "auto"
    assert config.scorers.prompt.options == {"model": "ViT-B-32", "weights": ""}
    assert config.scorers.novelty.options == {"type": "open_clip_vitb32", "weights": ""}
    other = parse({"name": "a", "profile": "diffusion", "generator": {"use": "painter"}})
    assert other.generator.options == {}
    assert parse({"name": "a", "scorers": {"quality": {"use": "nima"}}}).scorers.quality.options == {}


def test_every_key_of_a_diffusion_series_is_written_with_its_place() -> None:
    config = parse({"name": "a", "profile": "diffusion"})
    text = write_series(config)
    assert tomllib.loads(text) == as_table(config) and parse(tomllib.loads(text)) == config
    lines = text.splitlines()
    for line in ('model = ""', "steps = 4", "guidance = 0.0", 'use = "clip-zero-shot"', "[scorers.extra]", "use = []"):
        assert line in lines, line
    assert "gen-emerge models list" in text


def test_a_series_without_extras_is_written_as_it_was_before_there_were_any() -> None:
    assert "extra" not in as_table(parse({"name": "a"}))["scorers"]
    assert as_table(parse({"name": "a", "profile": "diffusion"}))["scorers"]["extra"] == {"use": []}


def test_extras_are_named_and_may_have_options() -> None:
    table: dict[str, Any] = {
        "name": "a",
        "scorers": {"extra": {"use": ["laion", "lpips"], "laion": {"weights": "a.pth", "sha256": "0" * 64}}},
    }
    config = parse(table)
    assert config.scorers.extra.use == ("laion", "lpips")
    assert config.scorers.extra.options["laion"]["weights"] == "a.pth"
    assert parse(tomllib.loads(write_series(config))) == config
    known = Known(
        generators=KNOWN.generators, scorers=KNOWN.scorers, critics=KNOWN.critics, extras=frozenset({"laion", "lpips"})
    )
    assert parse(table, known=known) == config
    with pytest.raises(BadConfig, match=r"extra\.use: \"lapips\" is not known.*lpips"):
        parse(_with("scorers.extra.use", ["lapips"]), known=known)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("scorers.quality.use", "dreamsim", ["measures novelty, not quality", "nima"]),
        ("scorers.novelty.use", "clip", ["measures prompt, not novelty", "dreamsim"]),
        ("scorers.style.use", "nima", ["probe"]),
        ("scorers.style.use", "clip-zeroshot", ["clip-zero-shot"]),
        ("scorers.extra.use", ["laion", "laion"], ["names that differ"]),
        ("scorers.extra.use", "laion", ["an array"]),
        ("scorers.extra", {"use": ["laion"], "lain": {"weights": "x"}}, ["scorers.extra.lain", '"laion"']),
        ("scorers.extra", {"laion": 3}, ["scorers.extra.options.laion"]),
        ("scorers.extra", 3, ["scorers.extra"]),
    ],
)
def test_a_scorer_that_cannot_do_the_work_is_refused(path: str, value: Any, said: list[str]) -> None:
    with pytest.raises(BadConfig) as refused:
        parse(_with(path, value))
    for part in said:
        assert part in str(refused.value)


def test_other_implementations_keep_their_own_options() -> None:
    config = parse(FULL)
    assert config.generator.options == {
        "model": "x/y",
        "steps": 20,
        "guidance": 7.5,
        "lora": [{"a b": 1e-7}],
        "half": True,
    }
    assert config.scorers.quality.options == {"revision": "abc"}
    assert [rule.label for rule in config.filters.rules] == ["lightness-below", "busy"]


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(Exception, match="frozen"):
        parse({"name": "a"}).seed = 1  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("sead", 1, ["unknown key sead", '"seed"']),
        ("loop.bach", 1, ["unknown key loop.bach", '"batch"']),
        ("gates.qualty", {}, ["unknown key gates.qualty", '"quality"']),
        ("gates.quality.duplicate", 0.1, ["unknown key gates.quality.duplicate"]),
        ("gates.quality.uper", 0.1, ["unknown key gates.quality.uper", '"upper"']),
        ("scorers.styles", {}, ["unknown key scorers.styles", '"style"']),
        ("generator.uze", "painter", ["unknown key generator.uze", '"use"']),
        ("critic.bnak", "x", ["unknown key critic.bnak", '"bank"']),
        ("schema", 2, ["schema = 2", "wanted 1"]),
        ("schema", True, ["schema = true"]),
        ("name", "No Such", ['name = "No Such"', "lower-case"]),
        ("name", "a\n", ["name"]),
        ("name", "a" * 65, ["name"]),
        ("profile", "embeded", ['profile = "embeded"', 'Did you mean "embedded"?']),
        ("seed", -1, ["seed = -1", "from 0 to 9223372036854775807"]),
        ("seed", 2**63, ["seed"]),
        ("seed", 1.0, ["seed = 1.0", "a whole number"]),
        ("seed", True, ["seed = true", "a whole number"]),
        ("brief", "", ["brief", "not empty"]),
        ("brief", "x" * 4001, ["brief", "4000"]),
        ("loop", 3, ["loop = 3", "a table"]),
        ("loop.batch", 0, ["loop.batch = 0", "a whole number from 1 to 256"]),
        ("calibration.false_accept", 1e308, ["calibration.false_accept", "wanted a number from 0.000001 to 1000000"]),
        ("calibration.false_reject", 1e-320, ["calibration.false_reject", "wanted a number from 0.000001 to 1000000"]),
        ("calibration.review", 0, ["calibration.review = 0", "wanted a number from 0.000001 to 1000000"]),
        ("calibration.cap", 11, ["calibration.cap = 11", "wanted a number from 0.000001 to 10"]),
        ("compass.tilt", 0.6, ["compass.tilt = 0.6", "wanted a number from 0 to 0.5"]),
        ("loop.batch", 257, ["loop.batch = 257"]),
        ("loop.batch", "8", ['loop.batch = "8"', "a whole number"]),
        ("loop.best_of", 0, ["loop.best_of = 0", "a whole number from 1 to 64"]),
        ("loop.best_of", 65, ["loop.best_of = 65"]),
        ("loop", {"batch": 129, "best_of": 8}, ["loop", "batch x best_of of at most 1,024", "129 x 8"]),
        ("selector.use", "signl", ['selector.use = "signl"', 'Did you mean "signal"?']),
        ("selector.signals", ["prompt", "quality"], ["selector", 'one signal for use = "signal"', "pareto"]),
        ("selector.signals", [], ["selector", "one signal"]),
        ("selector.signals", ["promt"], ['nothing here measures "promt"', 'Did you mean "prompt"?']),
        ("selector.signals", ["novelty"], ['"novelty"', "after the choice"]),
        ("selector.signals", ["imagereward"], ['"imagereward"', 'Add "imagereward" to [scorers.extra] use']),
        ("selector", {"use": "pareto"}, ["selector", "two signals or more"]),
        ("selector", {"use": "pareto", "signals": ["prompt", "prompt"]}, ["signals that differ"]),
        ("selector.signals", ["personal"], ['nothing here measures "personal"', 'Write use = "personal"']),
        ("reward.sure", 0.5, ["reward.sure", "0.6 to 0.999"]),
        ("reward.sure", 1.0, ["reward.sure"]),
        ("reward.use", "yes", ["reward.use"]),
        ("selector", {"use": "personal", "signals": ["prompt"]}, ["selector", "which reads its own"]),
        ("selector.signal", ["prompt"], ["unknown key selector.signal", '"signals"']),
        ("detectors.use", ["seam"], ['detectors.use: "seam" is not known', 'Did you mean "seams"?']),
        ("detectors.use", ["seams", "seams"], ["detectors", "names that differ"]),
        ("detectors.use", "seams", ["detectors.use", "an array"]),
        ("detectors", {"use": [], "seams": {"wraps": True}}, ["detectors.seams belongs to nothing", "detectors.use"]),
        ("critic.concurrency", 0, ["critic.concurrency = 0", "from 1 to 256"]),
        ("critic.concurrency", 257, ["critic.concurrency = 257", "from 1 to 256"]),
        ("loop.warmup_cycles", 0, ["loop.warmup_cycles", "from 1 to 1000"]),
        ("loop.pipeline_depth", 17, ["loop.pipeline_depth", "from 0 to 16"]),
        ("loop.on_checkin", "stop", ["loop.on_checkin", '"continue" or "wait"']),
        ("image.width", 9000, ["image.width = 9000", "from 32 to 8192"]),
        ("image", {"width": 8192, "height": 8192}, ["image", "33,000,000"]),
        ("prompts.bank", 3, ["prompts.bank = 3", "a text"]),
        ("generator.use", "paintr", ['generator.use = "paintr"', '"painter"']),
        ("generator.use", 3, ["generator.use = 3"]),
        ("scorers.style", {"use": "embeded"}, ["scorers.style.use", '"embedded"']),
        ("critic.use", "mesured", ["critic.use", '"measured"']),
        ("archive.dims", [0, 20], ["archive", "zero cells"]),
        ("archive.dims", [], ["archive", "one number in dims"]),
        ("archive.dims", [20], ["archive", "2 axes"]),
        ("archive.dims", [20, 20.0], ["archive.dims[1] = 20.0", "a whole number"]),
        ("archive.dims", [20, True], ["archive.dims[1] = true"]),
        ("archive.dims", [2000, 2000], ["4,000,000", "1,000,000"]),
        ("archive.axes", ["warmht", "detail"], ['no axis "warmht"', '"warmth"']),
        ("archive.axes", ["detail", "detail"], ["axes that differ"]),
        ("archive.axes", "warmth", ["archive.axes", "an array"]),
        ("archive.kind", "gird", ["archive.kind", '"grid"']),
        ("archive", {"kind": "cvt", "cells": 0}, ["archive.cells = 0", "from 1 to"]),
        ("archive.cells", 7, ["cells", "cvt"]),
        ("gates.quality.lower", "of", ['gates.quality.lower = "of"', '"auto" or "off"']),
        ("gates.quality.lower", True, ["gates.quality.lower = true"]),
        ("gates.quality.lower", float("nan"), ["gates.quality.lower", 'a number, "auto" or "off"']),
        ("gates.quality.upper", float("inf"), ["gates.quality.upper", 'a number, "auto" or "off"']),
        ("gates.quality.review", -0.1, ["gates.quality.review", "a width from 0"]),
        ("gates.quality.review", "off", ["gates.quality.review", 'a width from 0, or "auto"']),
        ("gates.novelty.duplicate", -1, ["gates.novelty.duplicate", "from 0"]),
        ("gates.style", {"lower": 2, "upper": 1}, ["gates.style", "lower below upper"]),
        ("filters.rules", [{"signal": "lightness"}], ["filters.rules[0]", "either below or above"]),
        ("filters.rules", [{"signal": "lightness", "below": 0, "above": 1}], ["filters.rules[0]"]),
        ("filters.rules", [{"signal": "ligtness", "below": 0}], ["filters.rules[0].signal", '"lightness"']),
        ("filters.rules", [{"signal": "detail", "belw": 0}], ["unknown key filters.rules[0].belw", '"below"']),
        ("filters.rules", [{"signal": "detail", "below": "__import__('os')"}], ["filters.rules[0].below", "a number"]),
        ("filters.rules", [{"signal": "detail", "below": float("inf")}], ["filters.rules[0].below", "finite"]),
        ("filters.rules", ["lightness < 0.05"], ["filters.rules[0]", "a table"]),
        ("filters.rules", [{"signal": "detail", "below": 0}] * 2, ["detail-below", "twice"]),
        ("filters.rules", [{"signal": "detail", "below": 10**400}], ["filters.rules[0].below", "finite"]),
        *[
            ("filters.rules", [{"signal": "detail", "below": 0, "name": name}], ["filters.rules[0].name", "printable"])
            for name in ("", " ", "a/b", "a\\b", "a\n", "a\x1b[31m")
        ],
        ("gates.quality.lower", 10**400, ["gates.quality.lower", '"auto" or "off"']),
        ("gates.style.upper", -(10**400), ["gates.style.upper", "a number"]),
        ("gates.prompt.review", 10**400, ["gates.prompt.review", "a width"]),
        ("gates.novelty.duplicate", 10**400, ["gates.novelty.duplicate", "from 0"]),
        ("archive", {"kind": "cvt", "cells": 9, "dims": [3, 3]}, ["archive", 'no dims for kind = "cvt"', "cells"]),
        *[
            (key, bank, [key, "a path"])
            for key in ("prompts.bank", "critic.bank")
            for bank in (
                "a\0b",
                "x" * 100_000,
                "a/" * 600,
                "/etc/a.toml",
                "..",
                "../a.toml",
                "a/../../b",
                "C:\\a",
                "..\\a",
                "x" * 256,
            )
        ],
        ("generator", {"use": "diffusion", "deep": _nested(2_000)}, ["nested too deeply"]),
    ],
)
def test_a_wrong_key_is_refused_with_its_path(path: str, value: Any, said: list[str]) -> None:
    with pytest.raises(BadConfig) as refused:
        parse(_with(path, value), where="a.toml")
    for part in ["a.toml", *said]:
        assert part in str(refused.value)


def test_several_wrong_keys_are_told_at_once() -> None:
    with pytest.raises(BadConfig) as refused:
        parse({"name": "a", "seed": -1, "loop": {"batch": 0, "cycels": 3}})
    for part in ("seed = -1", "loop.batch = 0", "unknown key loop.cycels"):
        assert part in refused.value.message


def test_what_is_known_can_be_given() -> None:
    known = Known(generators={"fake": frozenset({"speed"})}, scorers=KNOWN.scorers, critics=KNOWN.critics)
    assert parse({"name": "a", "generator": {"use": "fake", "speed": 3}}, known=known).generator.options == {"speed": 3}
    with pytest.raises(BadConfig, match=r"unknown key generator\.sped.*speed"):
        parse({"name": "a", "generator": {"use": "fake", "sped": 3}}, known=known)
    assert parse({"name": "a", "generator": {"use": "nobody"}}, known=None).generator.use == "nobody"


def test_the_measures_named_here_are_the_ones_that_are_measured() -> None:
    from gen_emerge.scorers.measures import LIMITS

    assert set(MEASURES) == set(LIMITS)


@pytest.mark.parametrize("table", [{"name": "a"}, FULL, {"name": "c", "archive": {"kind": "cvt", "cells": 50}}])
def test_what_is_written_reads_back_equal(table: dict[str, Any]) -> None:
    config = parse(table)
    text = write_series(config)
    assert parse(tomllib.loads(text)) == config
    assert parse(as_table(config)) == config


def test_a_written_file_can_be_edited_line_by_line() -> None:
    text = write_series(parse({"name": "a"}))
    lines = text.splitlines()
    keys: set[str] = set()
    for line in lines:
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition(" = ")
            keys.add(key)
            assert re.fullmatch(r"[a-z_]+", key)
            tomllib.loads(line)
            assert value and not value.endswith(",")
        elif line.startswith("["):
            assert re.fullmatch(r"\[[a-z_.]+\]", line)
    assert {"schema", "name", "seed", "brief", "batch", "on_checkin", "axes", "dims", "duplicate", "rules"} <= keys
    for line in lines:
        if line.startswith("#"):
            words = line.lstrip("# ").lower()
            assert not [key for key in keys if words.startswith(key)], line


def test_every_key_of_the_model_is_active_in_a_written_file() -> None:
    text = write_series(parse({"name": "a"}))
    assert tomllib.loads(text) == as_table(parse({"name": "a"}))
    for table in ("quality", "prompt", "novelty", "style"):
        assert f"[gates.{table}]\nlower" in re.sub(r"#.*\n", "", text)
        assert f"[scorers.{table}]\nuse" in re.sub(r"#.*\n", "", text)


def test_the_default_brief_does_not_name_the_series() -> None:
    one, two = parse({"name": "abstract"}), parse({"name": "b"})
    assert one.brief == two.brief
    assert write_series(one).replace("abstract\n", "b\n").replace('"abstract"', '"b"') == write_series(two)


def test_fixed_keys_are_told_apart_from_the_others() -> None:
    before = parse({"name": "a"})
    assert changed_fixed(before, before) is None
    free = {"name": "a", "brief": "x", "loop": {"cycles": 9}, "generator": {"use": "diffusion"}, "image": {"width": 64}}
    assert changed_fixed(before, parse(free)) is None
    for path, value in [
        ("seed", 8),
        ("profile", "diffusion"),
        ("archive.dims", [20, 21]),
        ("archive.axes", ["warmth", "detail"]),
        ("archive.kind", "cvt"),
        ("loop.batch", 9),
        ("loop.best_of", 2),
        ("loop.warmup_cycles", 5),
        ("loop.pipeline_depth", 2),
    ]:
        after = parse(_with(path, value))
        assert changed_fixed(before, after) == path
        assert changed_fixed(fixed(before), fixed(after)) == path


def test_a_series_of_before_there_were_takes_has_one_each() -> None:
    old = {path: value for path, value in fixed(parse({"name": "a"})).items() if path != "loop.best_of"}
    assert changed_fixed(old, parse({"name": "a"})) is None
    assert changed_fixed(old, parse(_with("loop.best_of", 2))) == "loop.best_of"


def test_a_selector_reads_what_the_series_measures() -> None:
    config = parse({"name": "a"})
    assert (config.loop.best_of, config.selector.use, config.selector.signals) == (1, "signal", ("prompt",))
    extra: dict[str, Any] = {"extra": {"use": ["laion", "hps"]}}
    table: dict[str, Any] = {"name": "a", "scorers": extra, "loop": {"best_of": 4}}
    for use, signals in (("signal", ["hps"]), ("signal", ["laion_v2"]), ("pareto", ["hps", "quality", "detail"])):
        chosen = parse({**table, "selector": {"use": use, "signals": signals}})
        assert chosen.selector.signals == tuple(signals)
        assert parse(tomllib.loads(write_series(chosen))) == chosen
    with pytest.raises(BadConfig, match="hps"):
        parse({"name": "a", "selector": {"signals": ["hps"]}})
    assert parse({"name": "a", "selector": {"use": "personal"}}, known=None).selector.signals == ("personal",)


def test_detectors_are_named_and_may_have_options() -> None:
    table: dict[str, Any] = {"name": "a", "detectors": {"use": ["seams"], "seams": {"wraps": True}}}
    config = parse(table)
    assert (config.detectors.use, config.detectors.options) == (("seams",), {"seams": {"wraps": True}})
    assert parse(tomllib.loads(write_series(config))) == config
    assert parse({"name": "a"}).detectors.use == () and parse({"name": "a"}).critic.concurrency == 8


def test_a_file_is_loaded_by_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "night.toml"
    path.write_text(write_series(parse({"name": "night"})), encoding="utf-8")
    assert load(path).name == "night"
    path.rename(tmp_path / "day.toml")
    with pytest.raises(BadConfig, match=r"(?s)night.*day"):
        load(tmp_path / "day.toml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'name = "x"\nseed = \n', "line 2"),
        (b'name = "x"\nseed = 1\nseed = 2\n', "line 3"),
        (b'name = "\xff"\n', "UTF-8"),
        (b"seed = 3\n", "name is missing"),
        (b'name = "x"\n[generator]\ndeep = ' + b"[" * 5_000 + b"]" * 5_000, "nested too deeply"),
        (b'name = "x"\nseed = ' + b"9" * 5_000, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(BadConfig, match=said) as refused:
        load(path)
    assert "x.toml" in refused.value.message
    with pytest.raises(NotFound):
        load(tmp_path / "y.toml")
    with pytest.raises(NotFound):
        load(tmp_path)


def test_a_file_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b'\xef\xbb\xbfname = "x"\r\nseed = 3\r\n')
    assert load(tmp_path / "x.toml").seed == 3


def test_the_ready_made_series_load(repository: Path) -> None:
    files = sorted((repository / "experiments" / "series").glob("*.toml"))
    assert "first-light" in [file.stem for file in files]
    for file in files:
        config = load(file)
        assert (repository / config.prompts.bank).is_file()
        assert parse(as_table(config)) == config
