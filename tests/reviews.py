"""What the tests of the review share: a small catalogue of made photos, and the app on it."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from resight.catalogue import Catalogue
from resight.photos import Photo
from resight.web import create_app
from resight.web.desk import Desk
from textures import noisy, texture, turned

NAMES = ("Luna", "Ferro", "Ada", "Brisa", "Koko", "Moss")

# Names that break a page which does not escape them.
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "{{ 7 * 7 }}",
    "../../etc/passwd",
    "O'Hara & sons; DROP TABLE",
    "Sól 🐋 שלום",
    "%00%2f%3cb%3e",
]


def colour(seed: int, turn: float = 0.0, grain: int = 0) -> Image.Image:
    """A photo of the individual with this number, seen turned and in its own exposure."""
    grey = noisy(turned(texture(seed), turn), 8, grain).astype(float) / 255
    dark, light = np.random.default_rng(seed + 900).integers(0, 256, (2, 3))
    pixels = dark * 0.5 + grey[..., None] * (128 + light * 0.5 - dark * 0.5)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def photo_file(folder: Path, seed: int, number: int) -> Path:
    """That as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"photo-{seed}-{number}.png"
    colour(seed, 6.0 * number - 6, number).save(path)
    return path


def photo_bytes(seed: int, number: int = 7, kind: str = "png") -> bytes:
    """That as it is sent."""
    file = io.BytesIO()
    colour(seed, 3.0, number).save(file, kind)
    return file.getvalue()


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height of a picture's bytes."""
    return Image.open(io.BytesIO(content)).size


@dataclass
class Review:
    """A review under test.

    Attributes:
        client: a browser on the page, with its cookies and token.
        place: of the catalogue.
        folder: that all lies in.
    """

    client: TestClient
    place: str
    folder: Path

    @property
    def desk(self) -> Desk:
        """What the application works with."""
        return self.client.app.state.desk  # type: ignore[attr-defined]

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue, open."""
        return self.desk.catalogue

    def get(self, path: str, **more: Any) -> Any:
        """JSON from an endpoint that has to answer."""
        response = self.client.get(path, **more)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        """The same, of a POST."""
        response = self.client.post(path, json=body, **more)
        assert response.status_code == 200, response.text
        return response.json()

    def send(self, *photos: tuple[str, bytes], **fields: str) -> Any:
        """Send photos as a form."""
        files = [("files", photo) for photo in photos]
        response = self.client.post("/api/photos", files=files, data=fields)
        assert response.status_code == 200, response.text
        return response.json()


def fill(place: str, folder: Path, model: Path, *, waiting: int = 4, each: int = 4) -> None:
    """Six individuals of four photos each, and photos that wait: of the first ones, then new."""
    with Catalogue.open(place, model=model, create=True) as catalogue:
        photos = [
            Photo(
                photo_file(folder, seed, number),
                name,
                date=datetime(2025, 5, 1 + number),
                side=("left", "right")[number % 2],
            )
            for seed, name in enumerate(NAMES)
            for number in range(each)
        ]
        catalogue.enrol_many(photos, who="Ada")
        if waiting:
            catalogue.add(
                [Photo(photo_file(folder, seed, 9), side="left") for seed in range(waiting)],
                who="Ada",
            )


def open_review(place: str, folder: Path, **more: Any) -> TestClient:
    """A browser on the review's page; use it in a `with`."""
    app = create_app(
        place, reviewer="Ada", uploads=folder / "dropped", cache=folder / "pictures", **more
    )
    return TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=True)


def at_the_page(client: TestClient) -> None:
    """What a browser has once it has loaded a page: a cookie, and the token for its requests."""
    page = client.get("/history").text
    token = page.partition('name="page-token" content="')[2].partition('"')[0]
    assert len(token) == 43
    client.headers.update(
        {
            "X-Resight-Page": token,
            "X-Resight-Tab": "1",
            "Origin": "http://127.0.0.1:8765",
            "Sec-Fetch-Site": "same-origin",
        }
    )


def groups(review: Review) -> Any:
    """The groups that are proposed, once they have been looked for."""
    deadline = time.monotonic() + 60
    while not (found := review.get("/api/groups"))["current"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def laid_out(review: Review) -> Any:
    """The map of a review's catalogue, once it has been laid out."""
    deadline = time.monotonic() + 60
    while True:
        found = review.get("/api/map")
        job = found["job"] or {"running": False, "error": None}
        assert job["error"] is None, job
        if found["way"] == "t-SNE" and not job["running"]:
            return found
        assert time.monotonic() < deadline
        time.sleep(0.05)
