"""Splits: nothing that is nearly the same photo stands on both sides, but where it is said."""

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resight.errors import UnusablePhotos
from resight.photos.encounters import encounter_numbers
from resight.photos.photo import Photo
from resight.photos.split import WAYS, Split, split_photos

TIMES = st.datetimes(datetime(2025, 4, 1), datetime(2025, 4, 6))


def photo(number: int, **known: object) -> Photo:
    return Photo(Path(f"{number}.jpg"), **known)  # type: ignore[arg-type]


def herd(individuals: int, encounters: int, each: int, **known: object) -> list[Photo]:
    return [
        photo(
            (who * encounters + meeting) * each + shot,
            individual=f"cow {who}",
            date=datetime(2025, 4, 1 + meeting),
            **known,
        )
        for who in range(individuals)
        for meeting in range(encounters)
        for shot in range(each)
    ]


@st.composite
def photos(draw: st.DrawFn) -> list[Photo]:
    maybe = st.none
    count = draw(st.integers(1, 25))
    return [
        photo(
            number,
            individual=draw(maybe() | st.sampled_from("ABCDEF")),
            encounter=draw(maybe() | st.sampled_from(["e1", "e2", "e3"])),
            date=draw(maybe() | TIMES),
            split=draw(st.sampled_from(["train", "Database ", "query", "VAL", "", None])),
        )
        for number in range(count)
    ]


def is_partition(split: Split, some: list[Photo]) -> bool:
    together = np.concatenate([split.train, split.query, split.dropped])
    return sorted(together.tolist()) == list(range(len(some)))


@given(photos(), st.sampled_from([*WAYS, None]), st.floats(0.05, 0.95), st.integers(0, 3))
@settings(max_examples=120)
def test_a_split_keeps_its_promises(
    some: list[Photo], by: str | None, share: float, seed: int
) -> None:
    try:
        split = split_photos(some, by, share=share, seed=seed)  # type: ignore[arg-type]
    except UnusablePhotos:
        return
    assert is_partition(split, some)
    assert len(split.train)
    assert len(split.query)
    assert all(some[place].individual for place in (*split.train, *split.query))
    again = split_photos(some, by, share=share, seed=seed)  # type: ignore[arg-type]
    for part in ("train", "query", "dropped"):
        assert getattr(split, part).tolist() == getattr(again, part).tolist()
        assert getattr(split, part).dtype == np.int64
    train, query = ([some[place] for place in side] for side in (split.train, split.query))
    names = [{p.individual for p in side} for side in (train, query)]
    if split.by == "individual":
        assert not names[0] & names[1]
    if split.by == "open":
        assert names[1] - names[0]
        assert names[1] & names[0]
    if split.by == "date":
        assert max(p.date.date() for p in train) < min(p.date.date() for p in query)  # type: ignore[union-attr]
    if split.by == "day":
        assert not {p.date.date() for p in train} & {p.date.date() for p in query}  # type: ignore[union-attr]
    if split.by == "encounter":
        assert names[1] <= names[0]
    if split.by == "random":
        assert split.flatters is not None or not _shared(some, split)
    if split.by in ("encounter", "individual", "day", "date"):
        assert split.flatters is None or "own encounter" in split.flatters
    if split.by in ("encounter", "individual"):
        assert split.flatters is None
        assert not _shared(some, split)


def _shared(some: list[Photo], split: Split) -> set[int]:
    numbers = encounter_numbers(some)
    return (set(numbers[split.train].tolist()) & set(numbers[split.query].tolist())) - {-1}


@settings(max_examples=40)
@given(photos())
def test_encounters_are_told_apart_by_name_and_by_day(some: list[Photo]) -> None:
    numbers = encounter_numbers(some)
    for one, here in enumerate(some):
        known = bool(here.individual and (here.encounter or here.date))
        assert (numbers[one] >= 0) == known
        for two in range(one):
            other = some[two]
            if not known or numbers[two] < 0:
                continue
            if here.individual != other.individual:
                assert numbers[one] != numbers[two]
            elif (here.encounter and here.encounter == other.encounter) or (
                here.date
                and other.date
                and here.date.date() == other.date.date()
                and not (here.encounter and other.encounter)
            ):
                assert numbers[one] == numbers[two]


def test_two_named_encounters_of_one_day_are_two() -> None:
    day = datetime(2025, 4, 1)
    some = [photo(n, individual="A", encounter=e, date=day) for n, e in enumerate(["am", "pm"])]
    assert encounter_numbers(some).tolist() == [0, 1]
    assert encounter_numbers([*some, photo(2, individual="A", date=day)]).tolist() == [0, 0, 0]


def test_given_words_are_understood() -> None:
    words = ["train", " Reference", "database", "GALLERY", "test", "query", "val", "valid", ""]
    some = [photo(n, individual="A", split=word) for n, word in enumerate([*words, "validation"])]
    split = split_photos(some, "given")
    assert split.train.tolist() == [0, 1, 2, 3]
    assert split.query.tolist() == [4, 5, 6, 7, 9]
    assert split.dropped.tolist() == [8]
    assert split_photos(some).by == "given"


def test_an_unknown_word_is_named_and_not_guessed() -> None:
    some = [photo(n, individual="A", split=w) for n, w in enumerate(["train", "test", "holdout"])]
    for by in ("given", None):
        with pytest.raises(UnusablePhotos, match=r"2\.jpg: its split says 'holdout'"):
            split_photos(some, by)  # type: ignore[arg-type]


def test_a_given_split_that_shares_encounters_is_told_so() -> None:
    some = [
        photo(n, individual="A", date=datetime(2025, 4, 1), split=w)
        for n, w in enumerate(["train", "test"])
    ]
    assert "1 of 1 asked photo" in (split_photos(some, "given").flatters or "")


@pytest.mark.parametrize(
    ("some", "by"),
    [
        (herd(4, 3, 2), "day"),
        ([photo(n, individual=f"{n // 4}", encounter=f"{n // 2}") for n in range(24)], "encounter"),
        ([photo(n, individual=f"{n // 4}") for n in range(24)], "random"),
        # Each individual on its own day only: by day nobody who asks is known.
        (
            [
                photo(n, individual=f"{n // 4}", date=datetime(2025, 4, 1 + n // 4))
                for n in range(9)
            ],
            "random",
        ),
        # A few dates are not enough to go by.
        (
            [
                *(photo(n, individual=f"{n // 4}") for n in range(24)),
                *(photo(n, individual="0", date=datetime(2025, 4, n - 23)) for n in range(24, 28)),
            ],
            "random",
        ),
    ],
)
def test_without_a_wish_the_first_that_serves_is_taken(some: list[Photo], by: str) -> None:
    split = split_photos(some)
    assert split.by == by
    assert split.train.tolist() == split_photos(some, by).train.tolist()  # type: ignore[arg-type]
    assert (split.flatters is not None) == (by == "random")


def test_by_date_keeps_the_gap() -> None:
    some = herd(3, 6, 1)
    split = split_photos(some, "date", until=date(2025, 4, 2), since=date(2025, 4, 5))
    days = [[some[n].date.day for n in side] for side in (split.train, split.query, split.dropped)]  # type: ignore[union-attr]
    assert [sorted(set(side)) for side in days] == [[1, 2], [5, 6], [3, 4]]
    assert len(split_photos(some, "date", until=date(2025, 4, 2)).query) == 12
    assert len(split_photos(some, "date", since=date(2025, 4, 6)).query) == 3
    assert len(split_photos(some, "date", share=0.3).query) == 6


@pytest.mark.parametrize(
    ("some", "by", "dates", "words"),
    [
        (
            herd(3, 3, 1),
            "date",
            {"until": date(2025, 4, 3), "since": date(2025, 4, 2)},
            "both side",
        ),
        (herd(3, 3, 1), "date", {"until": date(2025, 5, 3)}, "no photo was taken from 2025-05-04"),
        (herd(3, 3, 1), "date", {"since": date(2024, 5, 3)}, "no photo was taken until 2024-05-02"),
        (herd(3, 1, 4), "date", {}, "only one day"),
        (herd(3, 1, 4), "day", {}, "1 day, and a split by day needs two"),
        (herd(3, 1, 4), "encounter", {}, "met only once"),
        (herd(3, 4, 1), "individual", {}, "needs four"),
        (herd(2, 4, 1), "open", {}, "needs three"),
        (herd(4, 1, 4), "open", {}, "met only once"),
        ([photo(n, individual=f"{n % 5}") for n in range(9)], "encounter", {}, "neither"),
        ([photo(n, individual=f"{n % 5}") for n in range(9)], "day", {}, "write their dates"),
        ([photo(n, individual=f"{n % 5}") for n in range(9)], "given", {}, "column split"),
        ([photo(n, individual=f"{n}") for n in range(9)], "random", {}, "one photo only"),
        ([photo(n) for n in range(9)], "random", {}, "no photo says"),
        ([], None, {}, "no photo says"),
    ],
)
def test_what_cannot_be_split_is_refused_in_words(
    some: list[Photo], by: str, dates: dict[str, date], words: str
) -> None:
    with pytest.raises(UnusablePhotos, match=words):
        split_photos(some, by, **dates)  # type: ignore[arg-type]


def test_undated_photos_of_those_who_ask_are_dropped() -> None:
    some = [
        *herd(2, 3, 1),
        photo(6, individual="cow 0"),
        photo(7, individual="cow 9"),
        photo(8, individual=None, date=datetime(2025, 4, 1)),
    ]
    split = split_photos(some, "encounter")
    assert split.dropped.tolist() == [6, 8]
    assert 7 in split.train
    assert split_photos(some, "day").dropped.tolist() == [6, 7, 8]


def test_open_asks_with_the_latest_of_those_who_stay() -> None:
    some = herd(8, 4, 2)
    split = split_photos(some, "open", share=0.5)
    known = {some[place].individual for place in split.train}
    for who in known:
        days = [
            {some[n].date for n in side if some[n].individual == who}
            for side in (split.train, split.query)
        ]
        assert days[0]
        assert days[1]
        assert max(days[0]) < min(days[1])
    assert len({some[place].individual for place in split.query} - known) == 2


def test_about_the_share_asks_and_another_seed_asks_others() -> None:
    some = herd(20, 5, 4)
    for by in ("encounter", "day", "random", "individual"):
        one = split_photos(some, by, share=0.4)  # type: ignore[arg-type]
        assert len(one.query) == pytest.approx(160, abs=1)
        other = split_photos(some, by, share=0.4, seed=1)  # type: ignore[arg-type]
        assert one.query.tolist() != other.query.tolist()


def test_slips_of_the_caller_are_errors() -> None:
    some = herd(4, 3, 2)
    with pytest.raises(ValueError, match="share"):
        split_photos(some, "day", share=1.0)
    with pytest.raises(ValueError, match="by is one of"):
        split_photos(some, "week")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="until"):
        split_photos(some, "day", until=date(2025, 4, 2))
