"""The start of the review: what comes with the first page, and what after it."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import reviews
from resight.web import create_app

pytest.importorskip("fastapi", reason="needs FastAPI (the review extra)")

LATER = ("draw", "groups", "individuals", "map", "photos", "quality", "wall")


@pytest.fixture
def app(tmp_path: Path, tiny_model: Path) -> Any:
    place = str(tmp_path / "herd.db")
    reviews.fill(place, tmp_path / "in", tiny_model, waiting=1, each=1)
    return create_app(place, uploads=tmp_path / "dropped", cache=tmp_path / "pictures")


def asked(app: Any, path: str, **more: Any) -> Any:
    """Without the lifespan, so that nothing is got ready beside it."""
    from starlette.testclient import TestClient

    client = TestClient(app, base_url="http://127.0.0.1:8765")
    return client.request(more.pop("method", "GET"), path, **more)


def rooms(app: Any) -> int:
    return len(app.router.routes)


def test_what_the_first_page_does_not_need_is_not_imported_for_it(tmp_path: Path, app: Any) -> None:
    place = tmp_path / "herd.db"
    words = (
        "import sys; from resight.web import create_app; "
        "from starlette.testclient import TestClient; "
        f"app = create_app({str(place)!r}); "
        "asks = TestClient(app, base_url='http://127.0.0.1:8765'); "
        "assert asks.get('/').status_code == 200; "
        "print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    there = set(ran.stdout.split())
    assert "resight.web.queue" in there
    assert not {f"resight.web.{name}" for name in LATER} & there
    assert "sqlalchemy.dialects.postgresql" not in there


def test_the_other_pages_are_there_for_whoever_asks_first(app: Any) -> None:
    before = rooms(app)
    assert asked(app, "/").status_code == 200
    assert rooms(app) == before
    found = asked(app, "/individuals/")
    assert (found.status_code, found.url.path) == (200, "/individuals"), found.text
    assert rooms(app) > before
    opened = rooms(app)
    assert asked(app, "/no-such-page").status_code == 404
    assert rooms(app) == opened


def test_whoever_asks_while_they_are_opened_waits_for_it(app: Any) -> None:
    desk, open_them = app.state.desk, app.state.desk.other_rooms
    begun, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        begun.set()
        assert go_on.wait(60)
        open_them()

    desk.other_rooms = slowly
    found: list[int] = []
    asking = threading.Thread(target=lambda: found.append(asked(app, "/quality").status_code))
    asking.start()
    assert begun.wait(60)
    assert not found
    go_on.set()
    asking.join(60)
    assert found == [200]


@pytest.mark.parametrize("path", ["/no-such-page", "/api/openapi.json", "/api", "/quality"])
def test_any_first_question_has_its_answer(app: Any, path: str) -> None:
    found = asked(app, path)
    assert found.status_code == (404 if path == "/no-such-page" else 200)
    if path == "/api/openapi.json":
        assert {"/api/queue", "/api/groups", "/api/map"} <= found.json()["paths"].keys()


def test_they_are_got_ready_once_the_first_page_is_sent(app: Any) -> None:
    from starlette.testclient import TestClient

    desk, before = app.state.desk, rooms(app)
    with TestClient(app, base_url="http://127.0.0.1:8765") as client:
        assert not desk.answered.wait(0.2)
        assert desk.catalogue._gallery is None
        assert client.get("/").status_code == 200
        deadline = time.monotonic() + 60
        while rooms(app) == before or "wall" not in desk.memory:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert desk.catalogue._gallery is not None


def test_a_review_that_nobody_looked_at_ends(app: Any) -> None:
    from starlette.testclient import TestClient

    with TestClient(app, base_url="http://127.0.0.1:8765"):
        pass
    assert app.state.desk.catalogue._gallery is None
