"""What must never happen: strangers, other sites, floods, hostile files and names."""

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest
from PIL import Image
from starlette.testclient import TestClient

import reviews
from resight.errors import UnreadablePhoto
from resight.web import guard, uploads
from reviews import Review

TOKEN = "a-token-of-enough-letters"


def bare(review: Review, **headers: str) -> TestClient:
    """A client without cookies or headers of the page."""
    return TestClient(review.client.app, base_url="http://127.0.0.1:8765", headers=headers)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "evil@",
        "[::",
        "1.2.3.4",
    ],
)
def test_another_name_is_not_answered(review: Review, host: str) -> None:
    response = bare(review, Host=host).get("/")
    assert response.status_code == 421
    assert "Luna" not in response.text


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1", "LOCALHOST:1", "[::1]:8765"])
def test_its_own_names_are_answered(review: Review, host: str) -> None:
    assert bare(review, Host=host).get("/").status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-Resight-Page": "x" * 43},
        {"X-Resight-Page": ""},
    ],
    ids=str,
)
def test_another_site_changes_nothing(review: Review, changed: dict[str, str]) -> None:
    photo = review.get("/api/queue")["items"][0]["photos"][0]
    said = {"what": "junk", "photos": [photo["id"]]}
    response = review.client.post("/api/decisions", json=said, headers=changed)
    assert response.status_code == 403
    assert review.catalogue.counts().junk == 0


def test_another_site_shows_no_picture_of_ours_but_may_link(review: Review) -> None:
    strange = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert bare(review, **strange).get("/pictures/1/160").status_code == 403
    strange["Sec-Fetch-Mode"] = "navigate"
    assert bare(review, **strange).get("/").status_code == 200


def test_a_program_may_decide_without_a_page(review: Review) -> None:
    photo = review.get("/api/queue")["items"][0]["photos"][0]
    said = {"what": "junk", "photos": [photo["id"]]}
    assert bare(review).post("/api/decisions", json=said).status_code == 200


def test_every_answer_is_guarded(review: Review) -> None:
    for path in ("/", "/api/queue", "/nowhere", "/pictures/1/160", "/api/openapi.json"):
        headers = review.client.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
    page = review.client.get("/")
    assert "<script>" not in page.text
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text


def test_beyond_loopback_a_token_is_asked_for(tmp_path: Path, tiny_rgb_model: Path) -> None:
    place = str(tmp_path / "herd.db")
    reviews.fill(place, tmp_path / "in", tiny_rgb_model, waiting=1, each=1)
    with reviews.open_review(place, tmp_path, token=TOKEN, any_address=True) as client:
        for path in ("/", "/api/queue", "/pictures/1/160", "/static/x", "/api/openapi.json"):
            assert client.get(path).status_code == 401, path
            assert client.get(f"{path}?token=wrong").status_code == 401
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
        assert client.post("/api/redo?token=" + TOKEN).status_code == 401
        bearer = {"Authorization": f"Bearer {TOKEN}", "Host": "192.168.1.7:8765"}
        assert client.get("/api/queue", headers=bearer).status_code == 200
        there = "http://127.0.0.1:8765//evil.example/?a=1&token="
        led = client.get(there + TOKEN, follow_redirects=False)
        assert led.status_code == 303
        assert led.headers["location"] == "/evil.example/?a=1"
        assert TOKEN not in led.headers["location"]
        cookie = led.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert client.get("/").status_code == 200  # by the cookie
        asked = TestClient(
            client.app, base_url="http://127.0.0.1:1", headers={"Accept": "text/html"}
        )
        assert "<form>" in asked.get("/").text


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd.jpg",
        "..\\..\\windows\\x.jpg",
        "/etc/passwd",
        "C:\\x.jpg",
        "....//x.jpg",
        "a\0b.jpg",
        "\n.jpg",
        "con" * 200 + ".jpg",
        "é" * 300 + ".png",
        "<img src=x onerror=alert(1)>.jpg",
        ".htaccess",
        "",
        " . ",
        "$(reboot).jpg",
        "x.php",
        "🐋.JPG",
    ],
)
def test_a_file_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "dropped"
    kept = uploads.receive(io.BytesIO(reviews.photo_bytes(1)), name, folder).path
    assert kept.parent == folder
    assert kept.resolve().parent == folder.resolve()
    assert not kept.name.startswith(".")
    assert uploads.may_be_photo(kept.name)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [kept.name]


def test_two_photos_of_one_name_are_both_kept_and_one_twice_is_not(tmp_path: Path) -> None:
    one, other = reviews.photo_bytes(1), reviews.photo_bytes(2)
    first = uploads.receive(io.BytesIO(one), "a.png", tmp_path)
    second = uploads.receive(io.BytesIO(other), "a.png", tmp_path)
    again = uploads.receive(io.BytesIO(one), "a.png", tmp_path)
    assert (first.path.name, second.path.name, again.path.name) == ("a.png", "a-2.png", "a.png")
    assert (first.fresh, second.fresh, again.fresh) == (True, True, False)
    assert first.path.read_bytes() == one


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few bytes that says it has 3.6 thousand million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_ = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", sum_)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 100_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("bomb.png", bomb(), "pixels"),
        ("text.jpg", b"hello", "not a picture"),
        ("empty.jpg", b"", "empty"),
        ("page.jpg", b"<html><script>alert(1)</script></html>", "not a picture"),
        ("cut.png", reviews.photo_bytes(1)[:900], ""),
        ("draw.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not a picture"),
        ("eps.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
    ],
)
def test_what_is_no_photo_is_refused_in_words_and_leaves_nothing(
    review: Review, name: str, content: bytes, why: str
) -> None:
    came = review.send((name, content), ("good.png", reviews.photo_bytes(4)))
    assert came["added"] == 1
    (no,) = came["refused"]
    assert why in no["reason"]
    assert [path.name for path in review.desk.uploads.iterdir()] == ["good.png"]


def swollen() -> bytes:
    """A PNG of 64 KB with a comment in it that would be 64 MB."""
    file = io.BytesIO(reviews.photo_bytes(1))
    kept = file.read()
    data = b"Comment\0\0" + zlib.compress(bytes(64 << 20), 9)
    sum_ = struct.pack(">I", zlib.crc32(b"zTXt" + data))
    return kept[:33] + struct.pack(">I", len(data)) + b"zTXt" + data + sum_ + kept[33:]


@hypothesis.settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
@hypothesis.given(
    kind=st.sampled_from(["png", "jpeg", "gif", "webp", "tiff", "bmp", "ppm", "ico"]),
    places=st.lists(st.floats(0, 0.999), max_size=12),
    values=st.binary(min_size=12, max_size=12),
    kept=st.floats(0.02, 1),
)
def test_no_damaged_picture_brings_it_down(
    review: Review, kind: str, places: list[float], values: bytes, kept: float
) -> None:
    """Whatever comes is taken or refused in words; then it can be seen, or there is nothing."""
    content = bytearray(reviews.photo_bytes(2, kind=kind))
    for place, value in zip(places, values, strict=False):
        content[int(place * len(content))] = value
    sent = ("a." + kind, bytes(content[: int(kept * len(content))]))
    came = review.send(sent)
    assert len(came["refused"]) + came["added"] + came["already"] == 1
    for one in came["refused"]:
        assert one["reason"]
        assert str(review.folder) not in one["reason"]
    answer = review.client.post("/api/ask/photo", files={"file": sent})
    assert answer.status_code == (400 if came["refused"] else 200)
    if came["added"]:
        photo = max(one.photos[0].id for one in review.catalogue.waiting(999))
        assert review.client.get(f"/pictures/{photo}/320").status_code == 200


def test_a_comment_that_swells_takes_no_memory(review: Review) -> None:
    content = swollen()
    assert len(content) < 200_000
    tracemalloc.start()
    came = review.send(("swollen.png", content))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert came["added"] + len(came["refused"]) == 1
    assert most < 32 << 20


def test_too_much_is_refused(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_BYTES", 5000)
    came = review.send(("large.png", reviews.photo_bytes(1)))
    assert "more than the" in came["refused"][0]["reason"]
    many = [("files", (f"{n}.png", b"x")) for n in range(uploads.MOST_FILES + 1)]
    assert review.client.post("/api/photos", files=many).status_code == 400
    monkeypatch.setattr(guard, "MOST_UPLOAD", 1000)
    assert review.client.post("/api/photos", files=many).status_code == 413
    large = b'{"what": "' + b"x" * guard.MOST_BYTES + b'"}'
    assert review.client.post("/api/decisions", content=large).status_code == 413

    def unsaid() -> "io.BytesIO":  # no length in the head: counted as it comes
        yield from (large[start : start + 65536] for start in range(0, len(large), 65536))

    response = review.client.post("/api/decisions", content=unsaid())
    assert response.status_code in (400, 413)
    assert review.catalogue.counts().waiting == 4


def test_names_are_escaped_on_every_page(review: Review) -> None:
    nasty = "<script>alert('x')</script>\"&"
    review.client.headers["Cookie"] = ""
    photo = review.catalogue.waiting(1)[0].photos[0]
    review.catalogue.name([photo.id], nasty, who="<b>Eve</b>")
    for path in ("/", "/groups", "/history", f"/history?photo={photo.id}"):
        text = review.client.get(path).text
        assert "<script>alert" not in text, path
        assert "<b>Eve" not in text, path
    text = review.client.get("/history", params={"individual": nasty}).text
    assert "&lt;script&gt;" in text
    assert "<script>alert" not in text
    wrong = review.client.get(
        "/history?individual=<script>alert(1)", headers={"Accept": "text/html"}
    )
    assert wrong.status_code == 400
    assert "<script>alert" not in wrong.text


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2f..%2fapp.py",
        "/pictures/..%2f1/160",
        "/pictures/1/..%2f160",
        "/pictures/1/161",
        "/pictures/-1/160",
        "/pictures/99999/160",
        "/pictures/1/160/../../../etc/passwd",
    ],
)
def test_no_path_leads_out(review: Review, path: str) -> None:
    version = review.client.app.state.version  # type: ignore[attr-defined]
    response = review.client.get(path.replace("/static", f"/static/{version}"))
    assert response.status_code in (400, 404, 422)
    assert "def create_app" not in response.text


def test_a_picture_whose_file_is_away_is_said_to_be(review: Review) -> None:
    photo = review.catalogue.waiting(1)[0].photos[0]
    photo.path.unlink()
    response = review.client.get(f"/pictures/{photo.id}/320")
    assert response.status_code == 400
    assert "no such file" in response.json()["error"]


def test_a_photo_is_decoded_once(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    first = review.client.get("/pictures/1/320").content
    monkeypatch.setattr("resight.web.pictures.read_image", lambda *_, **__: pytest.fail("again"))
    assert review.client.get("/pictures/1/320").content == first
    assert Image.open(io.BytesIO(first)).size == (200, 200)


def test_refuses_in_words_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Exception, match="cannot be written here"):
        uploads.receive(io.BytesIO(reviews.photo_bytes(1)), "a.png", tmp_path / "file" / "deep")
    with pytest.raises(UnreadablePhoto):
        uploads.receive(io.BytesIO(b""), "a.png", tmp_path)
