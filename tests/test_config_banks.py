"""Prompt banks: what is read, and what is refused with which words."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gen_emerge.banks import check_words, load_prompts
from gen_emerge.errors import BadInput, NotFound

GOOD = """schema = 1
id = "small-1"
template = "{form} in {mood} mood"
negative = "blurry"
[slots]
form = ["circle", "square"]
mood = ["calm"]
[[patterns]]
text = "a __form__ at dawn"
slots = { mood = "calm" }
"""


def _bank(folder: Path, text: str | bytes, name: str = "small-1.toml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_bank_is_read_whole(tmp_path: Path) -> None:
    bank = load_prompts(_bank(tmp_path, GOOD))
    assert (bank.id, bank.negative) == ("small-1", "blurry")
    assert dict(bank.slots) == {"form": ("circle", "square"), "mood": ("calm",)}
    assert bank.prompt({"form": "circle", "mood": "calm"}) == "circle in calm mood"
    assert bank.patterns[0].text == "a __form__ at dawn"
    assert dict(bank.patterns[0].slots) == {"mood": "calm"}
    assert bank.hash == hashlib.sha256(GOOD.encode()).hexdigest()


def test_the_shipped_banks_are_good_and_named_by_their_files(repository: Path) -> None:
    paths = sorted((repository / "prompts").glob("*.toml"))
    assert paths
    for path in paths:
        assert load_prompts(path).id == path.stem


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema = 1", "schema = 2", ["schema = 2", "schema = 1"]),
        ('id = "small-1"\n', "", ["id is missing"]),
        ('id = "small-1"', "idd = 3", ["unknown key idd", '"id"']),
        ("{mood} mood", "{mod} mood", ["{mod}", 'Did you mean "mood"?']),
        ("{mood} mood", "mood", ["{mood} 0 times"]),
        ("{mood} mood", "{mood} {mood}", ["{mood} 2 times"]),
        ("{mood} mood", "{mood.real}", ["{mood.real}"]),
        ("{mood} mood", "{mood!r}", ["{mood}"]),
        ("{mood} mood", "{mood", ["brace"]),
        ('mood = ["calm"]', "mood = []", ["slots.mood has no words"]),
        ('mood = ["calm"]', 'mood = ["calm", "calm"]', ["slots.mood", '"calm" twice']),
        ('mood = ["calm"]', "mood = [3]", ["slots.mood[0] = 3", "a text"]),
        ('mood = ["calm"]', 'Mood = ["calm"]', ['"Mood" is no name']),
        ("__form__", "__from__", ["__from__", 'Did you mean "form"?']),
        ("__form__", "__mood__", ["both fixes mood"]),
        ('{ mood = "calm" }', '{ mood = "clam" }', ['"clam"', '"calm"']),
        ('{ mood = "calm" }', '{ mod = "calm" }', ["fixes mod", '"mood"']),
        ('text = "a', 'txet = "a', ["patterns[0].txet", '"text"']),
        ("[slots]", "[slots", ["not valid TOML", "line 5"]),
    ],
)
def test_a_wrong_bank_is_refused_with_the_place(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    assert old in GOOD
    with pytest.raises(BadInput) as refused:
        load_prompts(_bank(tmp_path, GOOD.replace(old, new, 1)))
    for part in ["small-1.toml", *said]:
        assert part in str(refused.value)


def test_a_missing_bank_names_the_nearest(tmp_path: Path) -> None:
    _bank(tmp_path, GOOD)
    with pytest.raises(NotFound, match=r"Did you mean .small-1\.toml"):
        load_prompts(tmp_path / "smal-1.toml")
    with pytest.raises(NotFound, match="gen-emerge init"):
        load_prompts(tmp_path / "nowhere" / "smal-1.toml")
    with pytest.raises(NotFound, match=r"is a folder.*small-1\.toml"):
        load_prompts(tmp_path)


@pytest.mark.parametrize("value", [b"[" * 5_000 + b"]" * 5_000, b"9" * 5_000])
def test_a_value_nobody_can_read_is_refused(tmp_path: Path, value: bytes) -> None:
    with pytest.raises(BadInput, match="read") as refused:
        load_prompts(_bank(tmp_path, b"schema = " + value))
    assert refused.value.hint


def test_a_bank_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="UTF-8"):
        load_prompts(_bank(tmp_path, b'id = "\xff"'))


def test_words_that_the_generator_does_not_know_are_refused(tmp_path: Path, repository: Path) -> None:
    from gen_emerge.generators.painter import SLOTS

    for path in (repository / "prompts").glob("painter-*.toml"):
        check_words(load_prompts(path), SLOTS, generator="painter")
    bank = load_prompts(_bank(tmp_path, GOOD))
    check_words(bank, {"form": ["circle", "square", "line"], "mood": ["calm"]}, generator="fake")
    with pytest.raises(BadInput, match=r'knows no form "circle".*Did you mean "cirkle"'):
        check_words(bank, {"form": ["cirkle", "square"], "mood": ["calm"]}, generator="fake")
    with pytest.raises(BadInput, match=r'knows no slot "mood".*Did you mean "moods"'):
        check_words(bank, {"form": ["circle", "square"], "moods": ["calm"]}, generator="fake")
    with pytest.raises(BadInput, match=r'knows no form "circle", no form "square", no slot "mood" \(prompt') as caught:
        check_words(bank, {"form": ["cirkle", "sqare"], "moods": ["calm"]}, generator="fake")
    assert caught.value.hint is not None
    for near in ('form "circle": Did you mean "cirkle"?', 'form "square": Did you mean "sqare"?', '"moods"'):
        assert near in caught.value.hint


def test_every_pattern_that_fixes_a_word_its_slot_lacks_is_named_at_once(tmp_path: Path) -> None:
    more = '[[patterns]]\ntext = "{}"\nslots = {{ form = "{}" }}\n'
    one = GOOD + more.format("a dawn", "cirkle")
    with pytest.raises(BadInput, match=r'patterns\[1\].slots.form = "cirkle" is no word of that slot') as caught:
        load_prompts(_bank(tmp_path, one))
    assert caught.value.hint == 'Did you mean "circle"?'
    two = one + more.format("a dusk", "line")
    with pytest.raises(BadInput, match=r'"cirkle", patterns\[2\].slots.form = "line" are no words of their slots'):
        load_prompts(_bank(tmp_path, two))
