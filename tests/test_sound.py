"""Recordings through the whole house: fingerprints, catalogue, commands, review."""

from __future__ import annotations

import csv
import io
import json
import wave
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from starlette.testclient import TestClient

import reviews
from command_line import resight
from recordings import HEARING, hearing_model
from resight.catalogue import Catalogue
from resight.errors import UnusableModel
from resight.fingerprint import Card, Fingerprinter
from resight.photos import Photo, find_photos, photos_by_individual
from resight.photos.made_voices import make_recordings, new_voice, recording
from resight.photos.sound import BANDS, sound_picture, windows
from resight.photos.ways_in import take_in


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hearing_model(tmp_path_factory.mktemp("models") / "hears.onnx")


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings") / "calls"
    make_recordings(folder, individuals=3, days=2, recordings=2, noise=20, seconds=1.6)
    return folder


def test_made_voices_are_the_same_each_time_and_as_noisy_as_asked(calls: Path) -> None:
    again = make_recordings(
        calls.parent / "again", individuals=3, days=2, recordings=2, noise=20, seconds=1.6
    )
    first = sorted(calls.rglob("*.flac"))
    assert [photo.path.name for photo in again] == [path.name for path in first]
    assert all(
        photo.path.read_bytes() == path.read_bytes()
        for photo, path in zip(again, first, strict=True)
    )
    voice = new_voice(np.random.default_rng(1))
    clean, noisy = (
        recording(voice, np.random.default_rng(2), noise=noise) for noise in (None, 0.0)
    )
    assert np.abs(clean).max() <= 1
    # Both draw the same calls; only the noise and the loudness differ.
    active = np.abs(clean) > 0
    scale = (noisy @ clean) / (clean @ clean)
    rest = noisy - scale * clean
    ratio = np.mean((scale * clean[active]) ** 2) / np.mean(rest**2)
    assert 10 * np.log10(ratio) == pytest.approx(0, abs=0.5)


def test_a_folder_of_recordings_comes_in_with_names_and_dates(calls: Path) -> None:
    taken = take_in(calls)
    assert not taken.problems
    assert {photo.individual for photo in taken.photos} == {"V001", "V002", "V003"}
    assert all(photo.date and photo.date.year == 2025 for photo in taken.photos)
    assert len(photos_by_individual(calls)) == len(find_photos(calls)) == 12


def test_a_recording_has_the_mean_direction_of_its_windows(calls: Path, model: Path) -> None:
    fingerprinter = Fingerprinter(model, batch_size=2)
    path = find_photos(calls)[0]
    cut = windows(sound_picture(path, hearing=HEARING), HEARING)
    assert len(cut) >= 2
    each = np.concatenate([fingerprinter._compute(one[None, None]) for one in cut])
    mean = each.sum(axis=0) / np.linalg.norm(each.sum(axis=0))
    found = fingerprinter([path, Photo(path, box=(20, 0, 120, BANDS))])
    assert np.allclose(found.vectors[0], mean, atol=1e-5)
    assert found.vectors[0] @ found.vectors[1] < 0.9999
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(
        fingerprinter(sound_picture(path, hearing=HEARING)).vectors[0], mean, atol=1e-5
    )


def test_each_model_says_what_it_is_for(
    calls: Path, model: Path, tiny_model: Path, tmp_path: Path
) -> None:
    sound = find_photos(calls)[0]
    picture = tmp_path / "a.png"
    Image.new("L", (40, 40)).save(picture)
    found = Fingerprinter(model)([sound, picture, np.zeros((5, 5), np.uint8)])
    assert found.index.tolist() == [0]
    assert "trained on recordings" in str(found.unreadable[0])
    found = Fingerprinter(tiny_model)([sound, picture])
    assert found.index.tolist() == [1]
    assert "for photos" in str(found.unreadable[0])


def test_a_card_with_a_senseless_hearing_is_refused(model: Path) -> None:
    card = Fingerprinter(model).card
    assert Card.from_json(card.to_json()) == card
    wrong: list[Any] = [
        {"low": 50},
        {"low": 50, "high": 20, "window": 64, "most": 3},
        {"low": float("1e300"), "high": 8000, "window": 64, "most": 3},
        {"low": 50, "high": 8000, "window": 96, "most": 3},  # not the graph's size
        {"low": 50, "high": 8000, "window": "64", "most": 3},
        {"low": 50, "high": 8000, "window": 64, "most": 3, "more": 1},
        [],
        "sound",
    ]
    for sound in wrong:
        with pytest.raises(UnusableModel, match="sound"):
            Card.from_json(replace(card, sound=sound).to_json())
    with pytest.raises(UnusableModel, match="sound"):
        Card.from_json(replace(card, channels=3).to_json())


def test_parts_of_one_recording_may_be_of_one_individual(
    calls: Path, model: Path, tmp_path: Path
) -> None:
    path = find_photos(calls)[0]
    parts = [Photo(path, "Luna", box=(at, 0, at + 70, BANDS)) for at in (0, 80)]
    with Catalogue.open(tmp_path / "calls.db", model=model, create=True) as book:
        assert book.enrol_many(parts).added == 2
        answer = book.identify([parts[0]], leave_out_itself=True)[0]
        assert answer.candidates[0].individual == "Luna"
        together = book.identify_encounter(parts)[0]
        assert together.enrolled_as == "Luna"
        assert len(together.queries) == 2
    ran = resight("check", tmp_path / "calls.db")
    assert ran.code == 0, ran


def test_a_selection_table_says_from_when_to_when(calls: Path, tmp_path: Path) -> None:
    path = find_photos(calls)[0]
    table = tmp_path / "calls.csv"
    rows = [
        ("path", "individual", "Begin Time (s)", "End Time (s)"),
        (path, "Luna", "0.1", "0.75"),
        (path, "Luna", "0.9", "1.604"),  # rounded up by whoever marked it
        (path, "Milo", "", ""),
        (path, "Milo", "1", "x"),
        (path, "Milo", "1.5", "0.5"),
        (path, "Milo", "1", "900"),
    ]
    with table.open("w", newline="") as out:
        csv.writer(out).writerows(rows)
    taken = take_in(table)
    assert [photo.box for photo in taken.photos[:3]] == [(10, 0, 75, 64), (90, 0, 160, 64), None]
    assert len(taken.problems) == 2
    assert "write seconds" in taken.problems[0].what
    ran = resight("inspect", table)
    assert "does not lie within" in ran.out + ran.err


def test_begin_and_end_of_photos_mean_nothing(tmp_path: Path) -> None:
    Image.new("L", (40, 40)).save(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("path,individual,begin,end\na.png,Luna,spring,autumn\n")
    taken = take_in(tmp_path / "t.csv")
    assert not taken.problems
    assert taken.photos[0].box is None


def test_the_commands_hear(calls: Path, model: Path, tmp_path: Path) -> None:
    book = tmp_path / "calls.db"
    for name in ("V001", "V002"):
        files = find_photos(calls / name)[:3]
        ran = resight("enrol", book, name, *files, "--model", model)
        assert ran.code == 0, ran
    asked = find_photos(calls / "V001")[1]
    ran = resight("identify", book, asked, "--json")
    answer = json.loads(ran.out)[0]
    assert answer["candidates"][0]["individual"] == "V001"
    assert answer["enrolled_as"] == "V001"
    ran = resight("inspect", calls)
    assert ran.code == 0, ran
    assert "dark" not in ran.out
    ran = resight("evaluate", model, calls, "--report", tmp_path / "r.html", "--json")
    assert ran.code == 0, ran
    figures = json.loads(ran.out)
    assert figures["by"] == "day"
    assert figures["background"] is None
    assert (tmp_path / "r.html").stat().st_size > 10_000
    ran = resight("identify", book, tmp_path / "nothing.wav")
    assert ran.code != 0
    (tmp_path / "broken.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    line = resight("identify", book, tmp_path / "broken.wav").failed_in_one_line()
    assert "broken.wav" in line


@pytest.fixture
def review(calls: Path, model: Path, tmp_path: Path) -> Iterator[TestClient]:
    place = str(tmp_path / "calls.db")
    photos = photos_by_individual(calls)
    with Catalogue.open(place, model=model, create=True) as book:
        book.enrol_many(photos[:8])
        book.add([Photo(photos[8].path), Photo(photos[9].path, box=(10, 0, 60, BANDS))])
    with reviews.open_review(place, tmp_path) as client:
        reviews.at_the_page(client)
        yield client


def test_the_review_shows_and_plays(review: TestClient) -> None:
    photos = [
        p for item in review.get("/api/queue?count=2").json()["items"] for p in item["photos"]
    ]
    assert [photo["sound"] for photo in photos] == [True, True]
    whole = next(photo for photo in photos if not photo["box"])
    picture = review.get(f"/pictures/{whole['id']}/640")
    assert picture.headers["content-type"] == "image/jpeg"
    wide, high = reviews.size_of(picture.content)
    assert wide == 640
    assert high > 100
    for photo, seconds in ((whole, 1.6), (next(p for p in photos if p["box"]), 0.5)):
        heard = review.get(f"/sounds/{photo['id']}")
        assert heard.headers["content-type"] == "audio/wav"
        assert heard.headers["accept-ranges"] == "bytes"
        with wave.open(io.BytesIO(heard.content)) as made:
            assert made.getnframes() / made.getframerate() == pytest.approx(seconds, abs=0.01)
    assert "media-src" not in heard.headers["content-security-policy"]
    assert "default-src 'self'" in heard.headers["content-security-policy"]


def test_a_player_asks_for_pieces(review: TestClient) -> None:
    whole = review.get("/sounds/1").content
    for wanted, part in {
        "bytes=0-": whole,
        "bytes=0-99": whole[:100],
        "bytes=100-199": whole[100:200],
        "bytes=-44": whole[-44:],
        f"bytes=44-{10**17}": whole[44:],
    }.items():
        got = review.get("/sounds/1", headers={"Range": wanted})
        assert (got.status_code, got.content) == (206, part), wanted
        first = len(whole) - 44 if wanted == "bytes=-44" else int(wanted[6:].split("-")[0])
        assert got.headers["content-range"] == f"bytes {first}-{first + len(part) - 1}/{len(whole)}"
    for wanted in (f"bytes={len(whole)}-", "bytes=9-5", "bytes=-0"):
        got = review.get("/sounds/1", headers={"Range": wanted})
        assert got.status_code == 416, wanted
        assert got.headers["content-range"] == f"bytes */{len(whole)}"
    for wanted in ("bytes=0-5,7-9", "words", "bytes=-", "bytes=" + "9" * 50 + "-"):
        assert review.get("/sounds/1", headers={"Range": wanted}).content == whole, wanted


def test_a_recording_is_dropped_onto_the_page(review: TestClient) -> None:
    file = io.BytesIO()
    soundfile.write(
        file, 0.1 * np.random.default_rng(0).standard_normal(16_000), 16_000, format="WAV"
    )
    sent = ("files", ("20250601_050000.wav", file.getvalue()))
    broken = ("files", ("broken.wav", file.getvalue()[:1000]))
    told = review.post("/api/photos", files=[sent, broken]).json()
    assert told["added"] == 1
    assert told["refused"][0]["reason"].startswith("cut short")
    catalogue = review.app.state.desk.catalogue  # type: ignore[attr-defined]
    kept = catalogue.shown([max(p.id for p in catalogue.shown(list(range(1, 12))))])[0]
    assert kept.path.suffix == ".wav"
    assert kept.taken_at == datetime(2025, 6, 1, 5)


def test_photos_make_no_sound(review: TestClient, tmp_path: Path, tiny_model: Path) -> None:
    picture = tmp_path / "p.png"
    Image.effect_noise((60, 60), 50).save(picture)
    with Catalogue.open(tmp_path / "p.db", model=tiny_model, create=True) as book:
        book.enrol("Luna", [picture])
    with reviews.open_review(str(tmp_path / "p.db"), tmp_path) as client:
        reviews.at_the_page(client)
        answer = client.get("/sounds/1")
        assert answer.status_code == 400
        assert "makes no sound" in answer.text
        assert client.get("/sounds/99").status_code == 400


def test_the_player_plays_in_a_real_browser(review: TestClient) -> None:
    pytest.importorskip("playwright", reason="needs playwright (the dev extra)")
    import browser

    with browser.serving(review.app) as address, browser.browsing() as chrome:
        page = browser.new_page(chrome, address)
        page.set_default_timeout(60_000)  # it decodes, on a machine that may have other work
        page.goto("/")
        page.wait_for_selector("#candidates li[aria-selected=true]")
        for player in ("#query-sound", "#candidate-sound"):
            assert page.locator(player).is_visible()
            seconds = page.evaluate(
                """(which) => new Promise((done) => {
                    const player = document.querySelector(which);
                    player.onloadedmetadata = () => done(player.duration);
                    player.onerror = () => done(player.error.message);
                    player.preload = "auto";
                    player.load();
                })""",
                player,
            )
            assert seconds == pytest.approx(1.6, abs=0.01) or seconds == pytest.approx(0.5)
        page.wait_for_function("document.querySelector('#query-image').naturalWidth > 400")
        browser.shot(page, "queue-sound")
        assert not page.wrong
        page.context.close()
