"""The files of a run's folder: complete at any time, and the answers to damaged ones."""

import json
import os
import shutil
from pathlib import Path

import pytest
from toy import PROFILE, toy

from dljax.errors import UserError
from dljax.runtime.files import beside, read_json, read_rows, write_text
from dljax.runtime.loop import run
from dljax.runtime.report import write_report
from dljax.runtime.rundir import read_result

DAMAGED = [b"", b"{", b"null", b"[]", b"3", b'"x"', b"\xff\xfe", b"\0" * 100, b"[" * 100_000, b"{}"]


def test_a_file_is_the_old_or_the_new_one(tmp_path, monkeypatch):
    file = tmp_path / "file"
    write_text(file, "old")
    with pytest.raises(ZeroDivisionError), beside(file) as opened:
        opened.write(b"half")
        assert file.read_text() == "old"
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == ["file"] and file.read_text() == "old"
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_ino))
    with beside(file) as opened:
        opened.write("né\udc80w".encode(errors="backslashreplace"))
        assert file.read_text() == "old" and not synced
    assert file.read_text("utf-8") == "né\\udc80w"
    assert synced == [file.stat().st_ino], "on the disk before it got its name"


@pytest.mark.parametrize("data", [*DAMAGED, b'{"a": "1"}', None], ids=lambda x: str(x)[:20])
def test_a_damaged_object_counts_as_absent(tmp_path, data):
    if data is not None:
        (tmp_path / "f").write_bytes(data)
    assert read_json(tmp_path / "f", a=int) is None
    assert read_json(tmp_path, a=int) is None, "a folder"
    (tmp_path / "f").write_text('{"a": 1, "b": null}')
    assert read_json(tmp_path / "f", a=int) == {"a": 1, "b": None}


def test_lines_that_are_no_rows_are_left_out(tmp_path):
    good = [b'{"step": 1, "a": 0.5}', b'{"step": 2, "a": NaN, "b": [1, 2]}']
    bad = [b"[1, 2]", b'"step"', b"7", b"null", b"{}", b'{"a": 1}', b'{"step": "3", "a": 1}']
    bad += [b'{"step": null}', b'{"step": 1.5}', b'{"step": true}', b'{"step": 3, "a": "x"}']
    bad += [b'{"step": 3, "a": null}', b'{"step": 3, "a": {}}', b'{"step": 3, "a": [[1], [2]]}']
    bad += [b'{"step": 3, "a": []}', b'{"step": 3, "a": true}', b"\xff", b"[" * 100_000, b'{"step']
    (tmp_path / "m").write_bytes(b"\n".join([*bad, good[0], *bad, good[1], *bad]))
    assert [row["step"] for row in read_rows(tmp_path / "m")] == [1, 2]
    assert read_rows(tmp_path / "none") == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "run"
    run(toy(), PROFILE, path, quiet=True)
    return path


@pytest.fixture
def again(trained, tmp_path):
    """A copy of a finished run, and the same command once more."""
    path = tmp_path / "run"
    shutil.copytree(trained, path)
    return path, lambda: run(toy(), PROFILE, path, quiet=True)


@pytest.mark.parametrize("data", DAMAGED, ids=lambda x: str(x)[:20])
def test_a_damaged_result_is_written_again(again, data):
    path, once_more = again
    (path / "result.json").write_bytes(data)
    assert read_result(path) is None
    assert "Not finished" in write_report(path).read_text("utf-8")
    once_more()
    assert read_result(path)["steps"] == 20
    assert "Not finished" not in (path / "report.html").read_text("utf-8")


@pytest.mark.parametrize("data", DAMAGED, ids=lambda x: str(x)[:20])
def test_a_damaged_record_is_told(again, data):
    path, once_more = again
    (path / "record.json").write_bytes(data)
    with pytest.raises(UserError, match="record.json is damaged: this is no folder to go on in"):
        once_more()
    assert (path / "record.json").read_bytes() == data
    write_report(path)  # of what there is


def test_whatever_else_lies_in_the_folder(again):
    """Rows that are none, pictures of somebody else, a source that was damaged since."""
    path, once_more = again
    rows = (path / "metrics.jsonl").read_bytes()
    (path / "metrics.jsonl").write_bytes(b'["step"]\n{"step": "x"}\n' + rows + b'{"step": 3, "lo')
    (path / "pictures").mkdir(exist_ok=True)
    for name in ("my_notes.txt", "a_b.png", "loss_0000003.txt.bak", "x_99999999999.gif"):
        (path / "pictures" / name).write_bytes(b"\xff")
    (path / "pictures" / "words_0000003.txt").write_bytes(b"mine \xff")
    (path / "pictures" / "dir_0000003.png").mkdir()
    (path / "code" / "toy.py").write_bytes(b"def \xff(")
    result = once_more()
    assert result.verdict == {"test/accuracy >= 0.9": True, "test/loss <= 0.5": True}
    assert (path / "metrics.jsonl").read_bytes() == rows
    page = (path / "report.html").read_text("utf-8")
    assert "mine �" in page and "notes" not in page and "test/accuracy" in page


@pytest.mark.parametrize("name", ["result.json", "metrics.jsonl", "report.html"])
def test_a_folder_where_a_file_is_expected(again, name):
    path, once_more = again
    (path / name).unlink()
    (path / name / "inner").mkdir(parents=True)
    with pytest.raises(UserError) as caught:
        once_more()
    assert name in str(caught.value) and "\n" not in str(caught.value)
    assert "annot be" in str(caught.value)


@pytest.mark.parametrize("name", ["checkpoints", "tensorboard"])
def test_a_file_where_a_folder_is_expected(again, name):
    path, once_more = again
    shutil.rmtree(path / name)
    (path / name).write_text("")
    with pytest.raises(UserError) as caught:
        once_more()
    assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("number, told", [(30, "Read-only file system"), (28, "the disk is full")])
def test_a_folder_that_cannot_be_written_any_more(tmp_path, monkeypatch, number, told):
    """From the second evaluation on, as a file system does that was mounted anew after an error."""
    path = tmp_path / "run"
    replace, calls = Path.replace, []

    def refuse(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) > 2:
            raise OSError(number, os.strerror(number), str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    looks = {"words": lambda variables, key: "words"}
    with pytest.raises(UserError) as caught:
        run(toy(looks=looks, every=5), PROFILE, path, quiet=True)
    assert told in str(caught.value) and "\n" not in str(caught.value)
    monkeypatch.undo()
    run(toy(looks=looks, every=5), PROFILE, path, quiet=True)
    assert json.loads((path / "result.json").read_text())["steps"] == 20
