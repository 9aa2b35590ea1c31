"""meteredge.frame_log: what is written is read back, and a bad file is told with its line."""

from pathlib import Path

import pytest

from meteredge.frame_log import Frame, FrameLog, FrameLogError, pairs, read, write

ASK, REPLY = bytes.fromhex("01040000000271cb"), bytes.fromhex("010404436633341b38")
LOG = FrameLog(
    9_600,
    "8N1",
    1_782_043_200.0,
    (Frame(0.031, "tx", ASK), Frame(0.062, "rx", REPLY), Frame(0.5, "tx", ASK), Frame(1.3, "unasked", REPLY)),
)
HEAD = '{"kind": "meterbridge frames", "schema": 1, "baud": 9600, "format": "8N1", "began_utc": 1782043200.0}\n'


def test_a_log_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "frames.jsonl", LOG)
    assert read(tmp_path / "frames.jsonl") == LOG
    lines = (tmp_path / "frames.jsonl").read_text().splitlines(keepends=True)
    assert lines[:2] == [HEAD, '{"t": 0.031, "dir": "tx", "hex": "01 04 00 00 00 02 71 cb"}\n']


def test_a_question_goes_with_what_came_back_in_time() -> None:
    assert pairs(LOG.frames) == [(LOG.frames[0], LOG.frames[1]), (LOG.frames[2], None)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no log of frames"),
        ('{"kind": "other"}', "no log of frames"),
        (HEAD.replace('"schema": 1', '"schema": 2'), "update"),
        (HEAD.replace('"baud": 9600, ', ""), "baud"),
        (HEAD + "{", "line 2: not JSON"),
        (HEAD + "[]", "line 2: not an object"),
        (HEAD + '{"t": 1, "dir": "up", "hex": ""}', "frame 2"),
        (HEAD + '{"t": 1, "dir": "tx", "hex": "0"}', "frame 2"),
        (HEAD + '{"t": 1, "dir": "tx"}', "frame 2: 'hex'"),
    ],
)
def test_a_file_that_is_no_log_is_told_with_the_place(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(FrameLogError, match=told):
        read(tmp_path / "x")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FrameLogError, match="cannot be read"):
        read(tmp_path / "none")
    with pytest.raises(FrameLogError, match="name another file"):
        write(tmp_path / "none" / "x", LOG)
