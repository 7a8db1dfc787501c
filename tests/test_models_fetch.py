"""Fetching models: against a real server that cuts connections, lies, refuses and serves other files."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import time
import urllib.parse
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from loopback import FileServer, serving

from gen_emerge.errors import BadInput, DiskFull, HeldByAnother, MissingModel
from gen_emerge.models import home
from gen_emerge.models.catalogue import Model, Original, catalogue
from gen_emerge.models.checkpoints import git_blob
from gen_emerge.models.fetch import Unreachable, alone, fetch
from gen_emerge.models.pull import pull

CONTENT = np.random.default_rng(5).bytes(700_001)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as house:
        house.files["/w.bin"] = CONTENT
        yield house


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models of this test's own."""
    folder = tmp_path / "models"
    monkeypatch.setenv("GEN_EMERGE_MODELS", str(folder))
    for name in ("GEN_EMERGE_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return folder


def original(server: FileServer, path: str = "w.bin", **known: object) -> Original:
    return Original(url=f"{server.url}/{path}", path=path, **known)  # pyright: ignore[reportArgumentType]


def sha256(content: bytes = CONTENT) -> str:
    return hashlib.sha256(content).hexdigest()


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_a_file_is_fetched_whole_and_nothing_else_is_left(server: FileServer, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    target = tmp_path / "deep" / "w.bin"
    found = fetch(original(server, sha256=sha256()), target, tell=lambda here, total: told.append((here, total)))
    assert found == sha256() and target.read_bytes() == CONTENT
    assert files_in(target.parent) == {"w.bin"}
    assert told[-1] == (len(CONTENT), len(CONTENT)) and told == sorted(told)


def test_a_connection_that_is_cut_goes_on_where_it_stopped(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [100_000, 0, 250_000]
    fetch(original(server), tmp_path / "w.bin", pause=0.0)
    assert (tmp_path / "w.bin").read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-", "bytes=100000-", "bytes=350000-"]


def test_a_server_without_ranges_is_asked_from_the_beginning(server: FileServer, tmp_path: Path) -> None:
    server.ranges = False
    server.cuts = [100_000]
    fetch(original(server, sha256=sha256()), tmp_path / "w.bin", pause=0.0)
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_server_that_never_says_how_long_a_file_is(server: FileServer, tmp_path: Path) -> None:
    server.lengths = False
    fetch(original(server, sha256=sha256()), tmp_path / "w.bin")
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_file_that_was_replaced_in_between_is_begun_anew(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [100_000]
    server.answers = []
    target = tmp_path / "w.bin"
    other = bytes(reversed(CONTENT))

    def replace(here: int, total: int | None) -> None:
        server.files["/w.bin"] = other

    fetch(original(server, sha256=sha256(other)), target, tell=replace, pause=0.0)
    assert target.read_bytes() == other


def test_a_whole_part_left_by_a_kill_only_needs_its_name(server: FileServer, tmp_path: Path) -> None:
    target = tmp_path / "w.bin"
    (tmp_path / "w.bin.part").write_bytes(CONTENT)
    (tmp_path / "w.bin.part.json").write_text(f'{{"url": "{server.url}/w.bin", "mark": null}}')
    fetch(original(server), target)
    assert target.read_bytes() == CONTENT and server.asked == [("/w.bin", f"bytes={len(CONTENT)}-")]


def test_a_part_of_another_address_is_not_gone_on_with(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "w.bin.part").write_bytes(b"x" * 1000)
    (tmp_path / "w.bin.part.json").write_text('{"url": "https://example.org/other", "mark": null}')
    fetch(original(server), tmp_path / "w.bin")
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["sha256", "sha256_prefix", "git_blob"])
def test_another_file_than_the_one_that_is_known_is_refused_and_not_kept(
    server: FileServer, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "whole"
    path.write_bytes(CONTENT)
    right = {"sha256": sha256(), "sha256_prefix": sha256()[:8], "git_blob": git_blob(path)}[kind]
    fetch(original(server, **{kind: right}), tmp_path / "good" / "w.bin")
    server.files["/w.bin"] = CONTENT[:-1] + b"?"
    with pytest.raises(BadInput, match="gave another file"):
        fetch(original(server, **{kind: right}), tmp_path / "bad" / "w.bin")
    assert files_in(tmp_path / "bad") == set()


@pytest.mark.parametrize("code", [404, 403])
def test_a_refusal_that_lasts_is_said_at_once(server: FileServer, tmp_path: Path, code: int) -> None:
    server.answers = [code]
    with pytest.raises(Unreachable, match=f"HTTP {code}"):
        fetch(original(server), tmp_path / "w.bin")
    assert len(server.asked) == 1 and files_in(tmp_path) == set()


def test_a_refusal_that_passes_is_waited_for(server: FileServer, tmp_path: Path) -> None:
    server.answers = [503, 429, 500]
    fetch(original(server), tmp_path / "w.bin", pause=0.0)
    assert (tmp_path / "w.bin").read_bytes() == CONTENT


def test_a_server_that_never_gets_well_is_given_up(server: FileServer, tmp_path: Path) -> None:
    server.answers = [503] * 50
    with pytest.raises(Unreachable, match="HTTP 503"):
        fetch(original(server), tmp_path / "w.bin", pause=0.0)
    assert 1 < len(server.asked) < 20


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    gone = Original(url="http://127.0.0.1:9/w.bin", path="w.bin")
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        fetch(gone, tmp_path / "w.bin", pause=0.0)


def test_a_web_page_in_place_of_a_file_is_refused(server: FileServer, tmp_path: Path) -> None:
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(Unreachable, match="web page"):
        fetch(original(server), tmp_path / "w.bin")
    assert files_in(tmp_path) == set()


@pytest.mark.parametrize("url", ["file:///etc/hostname", "http://example.org/w.bin", "ftp://127.0.0.1/w.bin"])
def test_only_safe_addresses_are_fetched(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadInput, match="https"):
        fetch(Original(url=url, path="w.bin"), tmp_path / "w.bin")


def test_two_do_not_fetch_the_same_file_at_once(server: FileServer, tmp_path: Path) -> None:
    with alone(tmp_path / "w.bin"), pytest.raises(HeldByAnother, match=r"fetching w\.bin"):
        fetch(original(server), tmp_path / "w.bin")
    fetch(original(server), tmp_path / "w.bin")


FETCH_ONE = """
import resource, sys
from pathlib import Path
from gen_emerge.errors import DiskFull
from gen_emerge.models.catalogue import Original
from gen_emerge.models.fetch import fetch
if len(sys.argv) > 3:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    fetch(Original(url=sys.argv[1], path="w.bin"), Path(sys.argv[2]))
except DiskFull as full:
    print(full)
    sys.exit(5)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs limits of a process")
def test_a_full_disk_is_said_and_what_came_is_gone_on_with(server: FileServer, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FETCH_ONE, f"{server.url}/w.bin", str(tmp_path / "w.bin")]
    done = subprocess.run([*command, "300000"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 5 and "300,000 bytes of w.bin are here and kept" in done.stdout, done.stderr
    fetch(original(server, sha256=sha256()), tmp_path / "w.bin")
    assert (tmp_path / "w.bin").read_bytes() == CONTENT and server.asked[-1] == ("/w.bin", "bytes=300000-")


def test_a_file_larger_than_the_disk_is_refused_before_it_is_fetched(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6, 5000))  # type: ignore[attr-defined]
    with pytest.raises(DiskFull, match=r"room for 5,000 bytes, and 700,001"):
        fetch(original(server), tmp_path / "w.bin")


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_a_fetch_that_was_killed_goes_on_where_it_stopped(server: FileServer, tmp_path: Path) -> None:
    import threading

    server.pace = threading.Event()
    server.cuts = [400_000]
    target = tmp_path / "w.bin"
    command = [sys.executable, "-c", FETCH_ONE, f"{server.url}/w.bin", str(target)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    part = tmp_path / "w.bin.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size >= 200_000):
        assert time.monotonic() < deadline and running.poll() is None, running.communicate()[0]
        time.sleep(0.02)
    # While it lives, nobody else may.
    with pytest.raises(HeldByAnother):
        fetch(original(server), target)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    server.pace.set()
    here = part.stat().st_size
    assert not target.exists() and 200_000 <= here <= 400_000
    fetch(original(server, sha256=sha256()), target)
    assert target.read_bytes() == CONTENT and server.asked[-1] == ("/w.bin", f"bytes={here}-")


# ---- models --------------------------------------------------------------------------------------------------------


def a_model(server: FileServer, *originals: Original, weights: str = "w.bin") -> Model:
    return Model(
        name="some-model",
        role="quality",
        what="x",
        licence="MIT",
        megabytes=1,
        accuracy="x",
        bias="x",
        source=server.url,
        files=originals or (original(server),),
        weights=weights,
    )


def test_a_pulled_model_is_there_is_not_fetched_twice_and_can_be_verified(server: FileServer, models: Path) -> None:
    model = a_model(server)
    assert home.where(model) is None
    assert pull(model) == models / "some-model" / "w.bin" == home.where(model)
    pull(model)
    assert len(server.asked) == 1
    record = home.record_of("some-model")
    assert record is not None and record.trusted == "first use" and record.files[0].sha256 == sha256()
    assert home.problems(model) == [] and home.pin_of(models / "some-model" / "w.bin") == sha256()
    assert home.pin_of(models / "elsewhere") is None


def test_a_file_that_changed_or_went_is_found(server: FileServer, models: Path) -> None:
    model = a_model(server)
    path = pull(model)
    changed = bytearray(CONTENT)
    changed[350_000] ^= 1
    path.write_bytes(changed)
    assert [sentence for sentence in home.problems(model) if "was changed" in sentence]
    path.write_bytes(CONTENT[:10])
    assert [sentence for sentence in home.problems(model) if "10 bytes" in sentence]
    path.unlink()
    assert [sentence for sentence in home.problems(model) if "is gone" in sentence] and home.where(model) is None
    pull(model)
    assert home.problems(model) == []


def test_a_model_that_was_never_fetched_names_the_command(server: FileServer) -> None:
    with pytest.raises(MissingModel, match="gen-emerge models pull some-model"):
        home.problems(a_model(server))


@pytest.mark.parametrize("name", ["GEN_EMERGE_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nothing_is_fetched(server: FileServer, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(MissingModel, match="nothing may be fetched"):
        pull(a_model(server))
    assert server.asked == []
    monkeypatch.setenv(name, "0")
    pull(a_model(server))


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_a_zip_is_unpacked_and_dropped(server: FileServer, models: Path) -> None:
    server.files["/a.zip"] = zipped(**{"lora/adapter.json": b"{}", "backbone.pth": CONTENT})
    model = a_model(server, original(server, "a.zip", unpack=True), weights="")
    folder = pull(model)
    assert folder == models / "some-model"
    assert (folder / "backbone.pth").read_bytes() == CONTENT and (folder / "lora" / "adapter.json").exists()
    assert not (folder / "a.zip").exists() and home.problems(model) == []


@pytest.mark.parametrize("name", ["../../evil", "/evil", "a/../../evil", "..\\evil", "C:evil"])
def test_a_zip_that_leads_out_of_its_folder_is_refused(server: FileServer, models: Path, name: str) -> None:
    server.files["/a.zip"] = zipped(**{"good": b"x", name: b"evil"})
    with pytest.raises(BadInput, match="leads out"):
        pull(a_model(server, original(server, "a.zip", unpack=True), weights=""))
    assert not [path for path in models.parent.rglob("*evil*")]


def test_a_broken_zip_is_refused_and_fetched_anew(server: FileServer) -> None:
    model = a_model(server, original(server, "a.zip", unpack=True), weights="")
    whole = zipped(a=CONTENT)
    server.files["/a.zip"] = whole[:1000]
    with pytest.raises(BadInput, match="no whole zip"):
        pull(model)
    server.files["/a.zip"] = whole
    pull(model)


def test_a_record_that_cannot_be_read_says_what_to_do(server: FileServer, models: Path) -> None:
    pull(a_model(server))
    (models / "some-model.lock.json").write_text("[")
    with pytest.raises(BadInput, match="models pull some-model"):
        home.where(a_model(server))


def test_the_catalogue_is_complete_and_every_address_is_safe() -> None:
    assert {"nima-aesthetic", "clip-vit-b-32", "dreamsim-open_clip_vitb32"} <= set(catalogue())
    for name, entry in catalogue().items():
        assert entry.licence and entry.what and entry.accuracy and entry.bias and entry.megabytes > 0
        assert bool(entry.files) != bool(entry.hub), name
        assert entry.commercial in ("yes", "no", "unknown")
        for address in (entry.source, *(file.url for file in entry.files)):
            assert urllib.parse.urlsplit(address).scheme == "https"
        for file in entry.files:
            assert not Path(file.path).is_absolute() and ".." not in Path(file.path).parts
            assert len(file.git_blob) in (0, 40) and len(file.sha256) in (0, 64)
        assert not entry.weights or entry.hub or entry.weights in {file.path for file in entry.files}
