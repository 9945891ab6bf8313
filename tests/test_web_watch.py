"""The watched folder, and the command that opens the review."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import reviews
from command_line import resight
from resight.web.watch import Watched
from reviews import Review


def test_photos_are_taken_when_they_are_whole(review: Review) -> None:
    folder = review.folder / "camera"
    (folder / "Tuesday").mkdir(parents=True)
    watched = Watched(review.desk, folder)
    first = folder / "a.png"
    whole = reviews.photo_bytes(60)
    first.write_bytes(whole[:500])
    assert watched.look() == 0
    first.write_bytes(whole)  # it has grown: not yet
    assert watched.look() == 0
    (folder / "Tuesday" / "b.png").write_bytes(reviews.photo_bytes(61))
    (folder / "notes.txt").write_text("no photo")
    (folder / ".hidden.png").write_bytes(whole)
    assert watched.look() == 1
    assert watched.look() == 1
    assert watched.look() == 0
    photos = [item.photos[0] for item in review.catalogue.waiting(9)[-2:]]
    assert [photo.path for photo in photos] == [first, folder / "Tuesday" / "b.png"]
    assert [photo.encounter for photo in photos] == [None, "Tuesday"]


def test_what_is_no_photo_spoils_nothing(
    review: Review, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review.folder / "camera"
    folder.mkdir()
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "good.png").write_bytes(reviews.photo_bytes(62))
    watched = Watched(review.desk, folder)
    watched.look()
    assert watched.look() == 2
    assert "bad.png" in capsys.readouterr().err
    assert review.catalogue.waiting(9)[-1].photos[0].path.name == "good.png"
    (folder / "bad.png").write_bytes(reviews.photo_bytes(63))  # mended
    watched.look()
    assert watched.look() == 1


def test_a_folder_that_is_away_for_a_moment(review: Review) -> None:
    assert Watched(review.desk, review.folder / "nowhere").look() == 0


def test_the_command_opens_and_ends(filled_herd: Path, tmp_path: Path) -> None:
    place = filled_herd / "herd.db"
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "resight.cli", "review", str(place), "--port", "0", "--no-open",
         "--who", "Ada"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=tmp_path,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.search(r"http://\S+", line)
        assert address, line
        with urllib.request.urlopen(address[0], timeout=10) as page:
            assert b"Ada" in page.read()
        assert time.perf_counter() - began < 20  # 2 s on a quiet computer; tests share theirs
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130, -2)


def test_the_command_refuses_in_words(tmp_path: Path, filled_herd: Path) -> None:
    import socket

    assert "nowhere.db" in resight("review", tmp_path / "nowhere.db").failed_in_one_line()
    place = filled_herd / "herd.db"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = resight("review", place, "--port", str(taken.getsockname()[1]), "--no-open")
        assert "choose another --port" in ran.failed_in_one_line()
    ran = resight("review", place, "--token", "short", "--no-open")
    assert "16 letters" in ran.failed_in_one_line()
    ran = resight("review", place, "--folder", tmp_path / "none", "--no-open", "--port", "0")
    assert "no such folder" in ran.failed_in_one_line()
    ran = resight("review", place, "--who", "\n", "--no-open", "--port", "0")
    assert ran.code == 1


def test_opening_the_review_needs_no_torch() -> None:
    code = (
        "import sys, resight.web.app, uvicorn; "
        "print([m for m in ('torch', 'fastai', 'cv2', 'sklearn', 'matplotlib', 'onnxruntime') "
        "if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
