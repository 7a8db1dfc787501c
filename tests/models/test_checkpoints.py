"""Weights on disk: what is read, what is refused, and that nothing in a checkpoint is ever run."""

from __future__ import annotations

import hashlib
import pickle
import shutil
import subprocess
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

from gen_emerge.errors import BadInput, MissingModel  # noqa: E402
from gen_emerge.models.checkpoints import digest, fit, git_blob, load_weights  # noqa: E402
from gen_emerge.models.devices import choose_device, choose_dtype, free_bytes  # noqa: E402

pytestmark = pytest.mark.models


def weights() -> dict[str, object]:
    generator = torch.Generator().manual_seed(3)
    return {"weight": torch.randn(2, 3, generator=generator), "bias": torch.randn(2, generator=generator)}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


# ---- digests -----------------------------------------------------------------------------------------------------


def test_a_files_digest_is_its_sha256_and_follows_its_contents(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    assert digest(path) == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"three")
    assert digest(path) == hashlib.sha256(b"three").hexdigest()


def test_a_folders_digest_knows_names_and_contents_but_no_hidden_files(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        (folder / "unet").mkdir(parents=True)
        (folder / "unet" / "a.json").write_text("{}")
        (folder / "b.json").write_text("[]")
    (second / ".cache").mkdir()
    (second / ".cache" / "x").write_text("x")
    assert digest(first) == digest(second)
    before = digest(first)
    (first / "b.json").rename(first / "c.json")
    assert digest(first) != before
    (first / "c.json").rename(first / "b.json")
    (first / "b.json").write_text("[1]")
    assert digest(first) != before


def test_a_linked_file_counts_as_the_file_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "x").write_bytes(b"same")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "m").write_bytes(b"same")
    (tmp_path / "two" / "m").symlink_to(tmp_path / "blobs" / "x")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "none", tmp_path / "empty"):
        with pytest.raises(MissingModel):
            digest(path)
    with pytest.raises(MissingModel, match="models list"):
        load_weights(tmp_path / "none.safetensors")


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_blob_id_is_gits(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"some\nbytes\0\xff")
    told = subprocess.run(["git", "hash-object", str(path)], capture_output=True, text=True, check=True)
    assert git_blob(path) == told.stdout.strip()


# ---- reading -----------------------------------------------------------------------------------------------------


def test_safetensors_are_read(tmp_path: Path) -> None:
    safetensors.save_file(weights(), tmp_path / "a.safetensors")
    found = load_weights(tmp_path / "a.safetensors")
    assert {name: value.tolist() for name, value in found.items()} == {n: v.tolist() for n, v in weights().items()}


@pytest.mark.parametrize("wrap", [False, True])
def test_a_pickled_checkpoint_is_read_when_its_hash_is_pinned(tmp_path: Path, wrap: bool) -> None:
    path = tmp_path / "a.pth"
    torch.save({"state_dict": weights(), "epoch": 3} if wrap else weights(), path)
    found = load_weights(path, pinned=sha256(path).upper())
    assert found.keys() == weights().keys() and torch.equal(found["weight"], weights()["weight"])


def test_a_pickled_checkpoint_is_refused_without_a_pin_and_with_another_files(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save(weights(), path)
    with pytest.raises(BadInput, match="not pinned"):
        load_weights(path)
    with pytest.raises(BadInput, match="not the pinned file"):
        load_weights(path, pinned="0" * 64)


@pytest.mark.parametrize("form", ["bare pickle", "torch", "legacy torch", "named safetensors"])
@pytest.mark.parametrize("trusted", [False, True])
def test_a_malicious_pickle_is_refused_and_nothing_runs(tmp_path: Path, form: str, trusted: bool) -> None:
    target = tmp_path / "it-ran"
    path = tmp_path / ("a.safetensors" if form == "named safetensors" else "a.pth")
    if form.endswith("torch"):
        torch.save({"weight": Bomb(target)}, path, _use_new_zipfile_serialization=form == "torch")
    else:
        path.write_bytes(pickle.dumps({"weight": Bomb(target)}))
    with pytest.raises(BadInput):
        load_weights(path, pinned=sha256(path) if trusted else None)
    assert not target.exists()
    # The bomb is a real one: Python's own unpickler sets it off.
    if form == "bare pickle":
        pickle.loads(path.read_bytes())
        assert target.exists()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_safetensors_file_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.safetensors"
    safetensors.save_file({"w": torch.ones(400)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadInput, match="no whole safetensors file"):
        load_weights(path)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_pickled_checkpoint_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.pth"
    torch.save({"w": torch.ones(400)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadInput, match="cannot be read as weights"):
        load_weights(path, pinned=sha256(path))


@pytest.mark.parametrize("content", [b"<html>Not found</html>", b"\x00" * 64, b'{"a": 1}'])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    for name in ("a.safetensors", "a.pt"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(BadInput):
            load_weights(path, pinned=sha256(path))


@pytest.mark.parametrize("held", [[1, 2], {}, {"epoch": 3, "weight": torch.ones(1)}, torch.ones(2)])
def test_a_file_that_holds_something_else_than_tensors_is_refused(tmp_path: Path, held: object) -> None:
    path = tmp_path / "a.pt"
    torch.save(held, path)
    with pytest.raises(BadInput, match=r"no tensor|wanted a table of tensors"):
        load_weights(path, pinned=sha256(path))


def test_a_folder_is_no_weights_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder"):
        load_weights(tmp_path)


# ---- fitting -----------------------------------------------------------------------------------------------------


def test_weights_that_fit_are_put_in_place() -> None:
    module = torch.nn.Linear(3, 2)
    fit(module, weights(), what="a.safetensors")
    assert torch.equal(module.weight, weights()["weight"]) and torch.equal(module.bias, weights()["bias"])


def test_missing_left_over_and_misshapen_names_are_named_and_nothing_is_changed() -> None:
    module = torch.nn.Linear(3, 2)
    before = module.weight.detach().clone()
    with pytest.raises(BadInput) as refused:
        fit(module, {"weight": torch.zeros(3, 2), "head.a": torch.zeros(1)}, what="some.file")
    said = str(refused.value)
    for part in ("some.file", "1 missing: bias", "1 not known: head.a", "weight (3, 2) where (2, 3) is wanted"):
        assert part in said
    assert torch.equal(module.weight, before)


def test_many_names_are_counted_and_the_first_five_shown() -> None:
    module = torch.nn.Sequential(*[torch.nn.Linear(1, 1) for _ in range(6)])
    with pytest.raises(BadInput, match=r"12 missing: 0\.bias, 0\.weight, 1\.bias, 1\.weight, 2\.bias and 7 more"):
        fit(module, {}, what="x")


def test_ignored_names_may_be_missing_or_left_over() -> None:
    module = torch.nn.Linear(3, 2)
    given = {"weight": weights()["weight"], "position_ids": torch.zeros(1)}
    fit(module, given, what="x", ignore=("bias", "position_ids"))
    assert torch.equal(module.weight, given["weight"])


# ---- devices -----------------------------------------------------------------------------------------------------


def test_devices_and_formats_by_name() -> None:
    cpu = choose_device("cpu")
    assert cpu.type == "cpu" and choose_device("auto").type in ("cpu", "cuda", "mps")
    assert choose_dtype("auto", cpu) is torch.float32
    assert choose_dtype("bfloat16", cpu) is torch.bfloat16
    assert (free_bytes(cpu) or 1) > 0


@pytest.mark.parametrize("word", ["gpu", "cuda:", "cuda:9999", "cpu:1", ""])
def test_a_device_nobody_has_is_refused(word: str) -> None:
    with pytest.raises(BadInput, match="device"):
        choose_device(word)
    with pytest.raises(BadInput, match="dtype"):
        choose_dtype("float8" + word, choose_device("cpu"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_says_how_much_is_free() -> None:
    device = choose_device("cuda:0")
    assert (free_bytes(device) or 0) > 0
    assert choose_dtype("auto", device) in (torch.bfloat16, torch.float16)
