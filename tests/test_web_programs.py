"""For other programs: enrolling, asking, the description of the endpoints, and its fuzzing."""

import json
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from starlette.testclient import TestClient

import reviews
from reviews import Review


@pytest.fixture
def program(review: Review) -> Review:
    """Another program, that is no browser."""
    client = TestClient(review.client.app, base_url="http://127.0.0.1:8765")
    return Review(client, review.place, review.folder)


def test_a_sidecar_enrols_a_box_and_a_vector_and_asks(program: Review) -> None:
    vector = np.eye(16)[3].tolist()
    came = program.send(
        ("face.png", reviews.photo_bytes(50)),
        individual="Stranger", box="10,20,110,140", vector=json.dumps(vector), side="left",
    )  # fmt: skip
    assert came["added"] == 1
    (photo,) = program.catalogue.photos_of("Stranger")
    assert (photo.box, photo.side) == ((10, 20, 110, 140), "left")
    (answer,) = program.post("/api/ask", {"vectors": [vector], "top": 2})
    best = answer["candidates"][0]
    assert best["individual"] == "Stranger"
    assert best["distance"] == pytest.approx(0, abs=1e-5)
    picture = program.client.get(f"/pictures/{best['photos'][0]['id']}/160")
    assert reviews.size_of(picture.content) == (100, 120)
    again = program.send(
        ("face.png", reviews.photo_bytes(50)),
        individual="Another", box="120,20,190,140", vector=json.dumps(np.eye(16)[4].tolist()),
    )  # fmt: skip
    assert again["added"] == 1  # another box of the same picture is another photo
    assert len(list(program.desk.uploads.iterdir())) == 1


def test_a_photo_is_asked_about_and_not_kept(program: Review) -> None:
    file = {"file": ("who.png", reviews.photo_bytes(3))}
    response = program.client.post("/api/ask/photo", files=file)
    assert response.json()["candidates"][0]["individual"] == "Brisa"
    assert not program.desk.uploads.exists()
    assert program.catalogue.counts().photos == 28


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"vector": "no"}, "JSON list"),
        ({"vector": "[1, true]"}, "JSON list"),
        ({"vector": "[1, 0]"}, "(n, 16)"),
        ({"vector": "[NaN]"}, ""),
        ({"vector": "[" * 50_000}, "JSON list"),
        ({"box": "5,5,5,5"}, "box"),
        ({"individual": "\n"}, ""),
        ({"individual": "Luna", "side": "\0"}, ""),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_enrolled_is_refused_and_leaves_nothing(
    program: Review, fields: dict[str, str], words: str
) -> None:
    files = [("files", ("a.png", reviews.photo_bytes(51)))]
    response = program.client.post("/api/photos", files=files, data=fields)
    assert response.status_code in (400, 422)
    assert words in response.text
    assert not program.desk.uploads.exists() or not list(program.desk.uploads.iterdir())
    assert program.catalogue.counts().photos == 28


def test_vectors_that_are_none_are_refused(program: Review) -> None:
    for vectors in ([[1.0, 0.0]], [[1.0] * 16], [[1.0], [1.0, 2.0]], [[0.0] * 16]):
        response = program.client.post("/api/ask", json={"vectors": vectors})
        assert response.status_code == 400, vectors
        assert response.json()["error"]


def test_every_endpoint_is_described_in_words(review: Review) -> None:
    described = review.get("/api/openapi.json")
    page = review.client.get("/api").text
    assert "/api/decisions" in described["paths"]
    for path, methods in described["paths"].items():
        assert path in page
        for method, one in methods.items():
            assert one["description"], (method, path)
            assert "200" in one["responses"]


def test_no_request_brings_it_down(filled_herd: Path, tmp_path: Path) -> None:
    """Fuzz all endpoints from their description; what comes back is as described."""
    schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis (the dev extra)")
    import shutil

    from resight.web import create_app

    shutil.copytree(filled_herd, tmp_path, dirs_exist_ok=True)
    app = create_app(tmp_path / "herd.db", reviewer="Ada", hosts=["testserver"])
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    checks = [
        schemathesis.checks.not_a_server_error,
        schemathesis.specs.openapi.checks.status_code_conformance,
        schemathesis.specs.openapi.checks.content_type_conformance,
        schemathesis.specs.openapi.checks.response_schema_conformance,
    ]
    tried = 0
    settings = hypothesis.settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    for found in schema.get_all_operations():
        operation: Any = found.ok()

        @settings
        @hypothesis.given(case=operation.as_strategy())
        def try_it(case: Any) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(checks=checks)

        try_it()
    assert tried > 100
    with TestClient(app, base_url="http://127.0.0.1") as client:  # and it is alive and whole
        assert client.get("/").status_code == 200
        assert app.state.desk.catalogue.check(files=False).sound
