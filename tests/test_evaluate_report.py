"""The report: one page that needs nothing else, safe whatever the names are, in plain words."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from herds import herd
from resight.evaluate.background import Background
from resight.evaluate.evaluation import evaluation
from resight.evaluate.metrics import Figure
from resight.evaluate.report import report_page, write_report
from resight.evaluate.report_drawing import bar, cmc_curve, hills, reliability_dots
from resight.evaluate.report_words import of_100, summary
from resight.evaluate.second_look import SecondLook
from resight.photos.photo import Photo
from resight.photos.split import Split
from textures import texture

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=1>', "{{ 7*7 }}", "Ä\u202e\ud800", "")
_VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Checks that tags close, and keeps what is asked for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.sources = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [v for k, v in attrs if k in ("src", "href")]
        assert not any(k.startswith("on") for k, _ in attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def split(query, train, by="day"):
    return Split(by, np.asarray(train), np.asarray(query), np.empty(0, np.int64), None)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(6):
        Image.fromarray(texture(number, 90)).save(folder / f"{number}.png")
    made = herd(2, individuals=20, dim=6, shift=0.9, days=4)
    names = [f"{HOSTILE[w % len(HOSTILE)]}{w}" for w in made.who]
    days = (made.days - made.days.min()).astype(int)
    found = evaluation(
        made.vectors,
        names,
        days,
        split(np.flatnonzero(days == 3), np.flatnonzero(days < 3)),
        resamples=50,
    )
    photos = [
        Photo(folder / f"{place % 6}.png", individual=name, box=(5, 5, 80, 70))
        for place, name in enumerate(names)
    ]
    return found, photos


def test_the_page_stands_alone_and_is_whole(measured):
    found, photos = measured
    page = report_page(found, photos, title="<b>m</b> on {{ p }}", about=[("a", "<i>")])
    seen = Page(page)
    assert seen.sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in seen.sources)
    assert {"svg", "table", "h1"} <= set(seen.tags)
    assert "script" not in seen.tags
    assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7*7 }}" in page  # as it stands, not 49
    assert "&lt;b&gt;m&lt;/b&gt; on {{ p }}" in page
    assert not re.search(r"https?://", page)
    assert "prefers-color-scheme: dark" in page
    assert "nan" not in re.sub(r"data:[^\"]+", "", page).lower().split()
    for heading in ("Naming those", "somebody new?", "probabilities", "worst confusions"):
        assert heading in page


def test_what_all_photos_of_an_individual_say_is_told_where_it_differs(measured):
    found, photos = measured
    row = "individuals ranked by all their photos"
    assert row in report_page(found, photos, title="t")
    figure, words = found.closed.rank_1, "By all photos of each individual at once"
    for gain, told in ((0.2, True), (0.001, False), (-0.2, True)):
        other = replace(found, by_individual=replace(figure, value=figure.value + gain))
        said = [sentence.words for sentence in summary(other) if words in sentence.words]
        ending = f"it names {of_100(other.by_individual)} right."
        assert [ending in one for one in said] == [True] * told
    assert f'{row}</td><td class="num">–' in report_page(
        replace(found, by_individual=None), photos, title="t"
    )


def test_every_individual_and_confusion_is_in_it(measured):
    found, photos = measured
    page = report_page(found, photos, title="t")
    assert page.count("<tr") - page.count("<tr><th") >= len(found.people)
    assert len(found.confusions) > 3
    assert page.count('class="row of3"') == len(found.confusions)
    assert page.count('class="row of2"') == len(found.strangers)


def test_a_photo_that_has_gone_leaves_a_blank(measured):
    found, photos = measured
    gone = [replace(photo, path=photo.path.with_name("gone.png")) for photo in photos]
    assert "the photo is gone" in report_page(found, gone, title="t")


def test_it_is_written_whole_or_not_at_all(measured, tmp_path):
    found, photos = measured
    out = tmp_path / "r.html"
    out.write_text("before")
    with pytest.raises(AttributeError):
        write_report(out, found, photos, title="t", background=3)
    assert out.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    write_report(out, found, photos, title="t")  # a name with half a surrogate is no obstacle
    Page(out.read_text())


def test_where_nothing_can_be_measured_the_page_says_so():
    vectors = np.eye(2, dtype=np.float32)
    found = evaluation(vectors, ["a", "b"], None, split([1], [0], "given"))
    page = report_page(found, [Photo("a.png", "a"), Photo("b.png", "b")], title="t")
    Page(page)
    said = " ".join(words for words, _ in summary(found))
    assert "nobody can be named right" in said
    assert "cannot be told" in said
    assert "too few" in said


def figure(value, off=0.05, n=9):
    return Figure(value, value - off, value + off, n)


def background(full, behind, animal, verdict):
    return Background(
        figure(full), figure(behind), figure(animal), 0.02, 0.5, verdict, 0, 9, 5, 4, 3
    )


def test_the_background_in_words(measured):
    found, photos = measured
    told = {
        verdict: [s for s in summary(found, case) if "blanked out" in s.words]
        for verdict, case in {
            "animal": background(0.9, 0.05, 0.88, "animal"),
            "partly": background(0.9, 0.3, 0.5, "partly"),
            "background": background(0.9, 0.8, 0.1, "background"),
            "nothing": background(0.03, 0.03, 0.03, "nothing"),
            "unsure": background(1.0, 0.5, 0.9, "unsure"),
        }.items()
    }
    assert "not the fence" in told["animal"][0].words
    assert told["animal"][0].kind == "note"
    assert told["partly"][0].kind == told["background"][0].kind == "warning"
    assert "It knows the fence" in told["background"][0].words
    assert "80 of 100" in told["background"][0].words
    assert "says nothing" in told["nothing"][0].words
    assert "cannot be told on so few" in told["unsure"][0].words
    page = report_page(found, photos, title="t", background=background(0.9, 0.8, 0.1, "background"))
    Page(page)
    assert "background alone" in page


def test_a_closer_look_and_what_was_trained_on(measured):
    found, photos = measured
    look = SecondLook(figure(0.4), figure(0.7), figure(0.3), True)
    said = summary(found, None, "so", look)
    assert any("names 70 (65 to 75) of 100 right" in s.words for s in said)
    assert not any("may be chance" in s.words or "as usual" in s.words for s in said)
    guessed = summary(found, None, "so", look._replace(gain=figure(0.01), learned=False))
    assert any("may be chance" in s.words for s in guessed)
    assert any("taken as usual" in s.words for s in guessed)
    assert "split so" in said[0].words
    left = summary(replace(found, left_out=3, asked=replace(found.asked, trained_on=True)))
    assert any("3 photos did not ask" in s.words and s.kind == "warning" for s in left)
    assert any("trained on the gallery" in s.words for s in left)
    page = report_page(found, photos, title="t", closely=look)
    assert "Looking closely" in page
    assert "no training" not in page
    look = look._replace(untrained=figure(0.2), untrained_queries=7)
    assert "no training" in report_page(found, photos, title="t", closely=look)
    said = summary(found, None, "so", look)
    assert any("name 20 (15 to 25) of 100 right (7 photos of these" in s.words for s in said)


def test_so_many_of_100():
    assert of_100(Figure(0.874, 0.84, 0.9, 5)) == "87 (84 to 90)"
    assert of_100(Figure(1.0, 1.0, 1.0, 5)) == "100"
    assert of_100(Figure(0.5, float("nan"), float("nan"), 1)) == "50"
    assert of_100(0.996) == "99.6"  # not all
    assert of_100(0.0004) == "0.1"  # not none
    assert of_100(0.0) == "0"


def test_drawings_stay_in_their_frames(measured):
    found, _ = measured
    curve = cmc_curve(found.closed, 400, 200)
    for line in (curve.line, curve.band):
        x, y = np.array([point.split(",") for point in line.split()], float).T
        assert x.min() >= 0
        assert x.max() <= 400
        assert y.min() >= 0
        assert y.max() <= 200
    values = [float(p.split(",")[1]) for p in curve.line.split()]
    assert values == sorted(values, reverse=True)  # R@k never falls
    dots = reliability_dots(found.reliable, 100, 100, 50)
    assert sum(dot.count for dot in dots) == len(found.queries)
    assert max(dot.bar for dot in dots) == 50
    drawn, low, high = hills([np.array([0.1, 0.2]), np.array([0.2, 0.2])], 100, 50)
    assert (low, high) == (0.1, 0.2)
    assert drawn[0].line.startswith("0.0,50.0")
    hills([np.array([0.5])], 100, 50)  # all alike
    assert bar("a", figure(0.5)).low == 45
