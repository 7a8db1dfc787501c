"""Question banks: what is read, what is refused."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from gen_emerge.critics import load_bank
from gen_emerge.errors import BadInput, NotFound

GENERAL = Path(__file__).parents[1] / "prompts" / "questions" / "general-1.toml"
GOOD = {"id": "q1", "dimension": "detail", "text": "Is it sharp?", "good": "yes"}


def written(tmp_path, *questions, head='schema = 1\nid = "b-1"'):
    lines = [head]
    for question in questions:
        lines += ["[[questions]]", *(f'{key} = "{value}"' for key, value in question.items())]
    file = tmp_path / "b-1.toml"
    file.write_text("\n".join(lines))
    return file


def test_the_general_bank_has_fifteen_questions_over_five_dimensions():
    bank = load_bank(GENERAL)
    assert bank.id == "general-1" and len(bank.questions) == 15
    counts = Counter(q.dimension for q in bank.questions)
    assert set(counts) == {"alignment", "aesthetics", "detail", "safety", "bias"} and min(counts.values()) >= 2
    assert {q.good for q in bank.questions} == {"yes", "no"}


def test_the_hash_is_of_the_files_bytes_and_changes_with_any_of_them(tmp_path):
    file = written(tmp_path, GOOD)
    before = load_bank(file)
    assert before.hash == hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_text(file.read_text() + "\n# a remark")
    assert load_bank(str(file)).hash != before.hash
    assert load_bank(file).questions == before.questions


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dimension": "aesthetic"}, '"aesthetics"'),
        ({"dimension": "beauty"}, "alignment, aesthetics, detail, safety, bias"),
        ({"good": "maybe"}, '"yes" or "no"'),
        ({"text": "It is sharp."}, "question mark"),
        ({"id": "Q 1"}, "small letters"),
        ({"goood": "yes"}, 'Did you mean "good"'),
        ({"text": "How sharp is it on a scale of one to ten?"}, "scale of"),
        ({"text": "What score does it deserve?"}, "score"),
        ({"text": "How would you rate its sharpness?"}, "rate"),
        ({"text": "How many people are shown?"}, "How many"),
        ({"text": "Is it worth 7/10?"}, "7/10"),
        ({"text": "What percentage is sharp?"}, "What percentage"),
        ({"text": "Which of five stars does it get?"}, "five stars"),
    ],
)
def test_a_question_that_cannot_be_answered_honestly_is_refused(tmp_path, change, said):
    with pytest.raises(BadInput) as refused:
        load_bank(written(tmp_path, {**GOOD, **change}))
    assert said in str(refused.value) and "question 1" in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "Is the scale of the figure believable?",
        "Are stars visible?",
        "Does the sky grade smoothly?",
        "Is it overrated?",
    ],
)
def test_words_that_only_look_like_a_rating_are_allowed(tmp_path, text):
    assert load_bank(written(tmp_path, {**GOOD, "text": text})).questions[0].text == text


def test_the_same_id_twice_is_refused(tmp_path):
    with pytest.raises(BadInput, match="like an earlier one") as refused:
        load_bank(written(tmp_path, GOOD, GOOD))
    assert refused.value.hint


@pytest.mark.parametrize("count", [0, 201])
def test_none_or_too_many_questions_are_refused(tmp_path, count):
    head = 'schema = 1\nid = "b-1"' + ("\nquestions = []" if count == 0 else "")
    file = written(tmp_path, *({**GOOD, "id": f"q{i}"} for i in range(count)), head=head)
    with pytest.raises(BadInput, match=f"{count} questions; wanted 1 to 200") as refused:
        load_bank(file)
    assert refused.value.hint
    assert len(load_bank(written(tmp_path, *({**GOOD, "id": f"q{i}"} for i in range(200)))).questions) == 200


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"schema = ", "not TOML"),
        (b"\xff\xfe", "UTF-8"),
        (b"a = " + b"[" * 5_000 + b"]" * 5_000, "nested too deeply"),
        (b"schema = " + b"9" * 5_000, "not TOML"),
        (b'schema = 2\nid = "b"', "schema is 2"),
        (b'schema = true\nid = "b"', "schema is true"),
        (b'id = "b"', "schema is nothing"),
        (b'schema = 1\nid = "b"', "questions is missing"),
        (b'schema = 1\nid = "b"\nquestions = [1]', "list of tables"),
        (b'schema = 1\nid = "b"\nquestion = []', 'Did you mean "questions"'),
    ],
)
def test_a_file_that_is_no_bank_is_refused(tmp_path, content, said):
    file = tmp_path / "b.toml"
    file.write_bytes(content)
    with pytest.raises(BadInput, match=said) as refused:
        load_bank(file)
    assert refused.value.hint


def test_a_missing_bank_names_the_nearest():
    with pytest.raises(NotFound, match=r"general-1\.toml"):
        load_bank(GENERAL.with_name("genral-1.toml"))
    with pytest.raises(BadInput, match=r"is a folder.*general-1\.toml"):
        load_bank(GENERAL.parent)


def test_a_missing_bank_in_an_empty_folder_has_a_hint_too(tmp_path):
    for path in (tmp_path / "b.toml", tmp_path):
        with pytest.raises(BadInput, match="gen-emerge init"):
            load_bank(path)
