"""The ways to split photos: for each, which photos train, which ask, and which do neither."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Literal

import numpy as np

from resight.errors import UnusablePhotos
from resight.photos.encounters import Places, day_of, encounter_numbers
from resight.photos.photo import Photo
from resight.words import counted

By = Literal["given", "encounter", "day", "date", "individual", "open", "random"]
TRAIN_WORDS = ("train", "database", "gallery", "reference")
QUERY_WORDS = ("test", "query", "val", "valid", "validation")

TRAIN, QUERY, DROPPED = 0, 1, 2


class Asked:
    """What every way of splitting looks at, counted once."""

    def __init__(
        self,
        photos: Sequence[Photo],
        share: float,
        seed: int,
        until: date | None,
        since: date | None,
    ) -> None:
        self.photos, self.share, self.seed = photos, share, seed
        self.until, self.since = until, since
        codes: dict[str, int] = {}
        self.individuals = np.array(
            [codes.setdefault(p.individual, len(codes)) if p.individual else -1 for p in photos],
            np.int64,
        )
        self.encounters = encounter_numbers(photos)
        self.days = np.array([d.toordinal() if (d := day_of(p)) else -1 for p in photos], np.int64)
        self.days[self.individuals < 0] = -1
        self.labelled = int((self.individuals >= 0).sum())

    def rng(self) -> np.random.Generator:
        """The same draws for a way whether it was asked for or tried."""
        return np.random.default_rng(self.seed)

    def sides(self) -> Places:
        """All labelled photos on the training side."""
        return np.where(self.individuals < 0, DROPPED, TRAIN)


def split_word(photo: Photo) -> str:
    """The side that a table gives a photo, small and without spaces around it; "" for none."""
    return (photo.split or "").strip().casefold()


def _given(asked: Asked) -> Places:
    side = np.full(len(asked.photos), DROPPED, np.int64)
    words = [split_word(photo) for photo in asked.photos]
    for place, word in enumerate(words):
        if word and word not in TRAIN_WORDS and word not in QUERY_WORDS:
            raise UnusablePhotos(
                f"{asked.photos[place].path}: its split says {asked.photos[place].split!r}; known "
                f"are {', '.join(TRAIN_WORDS)} to train on and {', '.join(QUERY_WORDS)} to ask"
            )
        if word and asked.individuals[place] >= 0:
            side[place] = TRAIN if word in TRAIN_WORDS else QUERY
    for which, wanted in ((TRAIN, TRAIN_WORDS), (QUERY, QUERY_WORDS)):
        if not (side == which).any():
            raise UnusablePhotos(
                f"no photo has a split of {', '.join(wanted)}; write it into the table's column "
                "split, or split another way"
            )
    return side


def _by_encounter(asked: Asked) -> Places:
    _needs_encounters(asked)
    side, rng = asked.sides(), asked.rng()
    for places in _of_each(asked.individuals):
        groups, sizes = np.unique(asked.encounters[places], return_counts=True)
        sizes = sizes[groups >= 0]
        groups = groups[groups >= 0]
        if len(groups) >= 2:
            taken = _draw(sizes, asked.share * len(places), rng)
            side[places[np.isin(asked.encounters[places], groups[taken])]] = QUERY
    if not (side == QUERY).any():
        raise UnusablePhotos("every individual was met only once; split by individual instead")
    return _without_leaks(side, asked)


def _by_day(asked: Asked) -> Places:
    days, sizes = np.unique(asked.days[asked.days >= 0], return_counts=True)
    if len(days) < 2:
        raise UnusablePhotos(
            f"the photos tell {counted(len(days), 'day')}, and a split by day needs two or more; "
            "write their dates into the table"
        )
    drawn = days[_draw(sizes, asked.share * sizes.sum(), asked.rng())]
    return np.where(asked.days < 0, DROPPED, np.where(np.isin(asked.days, drawn), QUERY, TRAIN))


def _by_date(asked: Asked) -> Places:
    known = np.sort(asked.days[asked.days >= 0])
    if not len(known) or known[0] == known[-1]:
        days = "no date" if not len(known) else "only one day"
        raise UnusablePhotos(f"the photos tell {days}, and a split by date needs two or more")
    until, since = asked.until, asked.since
    if until is None and since is None:
        first = min(int((1 - asked.share) * len(known)), len(known) - 1)
        since = date.fromordinal(max(known[first], known[known > known[0]][0]))
    until = until or (since or date.min) - timedelta(days=1)
    since = since or until + timedelta(days=1)
    if until >= since:
        raise UnusablePhotos(
            f"training goes until {until} and asking begins at {since}; the same day would be on "
            "both sides"
        )
    span = f"the photos are of {date.fromordinal(known[0])} to {date.fromordinal(known[-1])}"
    if known[0] > until.toordinal() or known[-1] < since.toordinal():
        gone = f"until {until}" if known[0] > until.toordinal() else f"from {since} on"
        raise UnusablePhotos(f"no photo was taken {gone}: {span}")
    side = np.where(asked.days >= since.toordinal(), QUERY, DROPPED)
    side[(asked.days >= 0) & (asked.days <= until.toordinal())] = TRAIN
    return side


def _by_individual(asked: Asked) -> Places:
    side, rng = asked.sides(), asked.rng()
    some = [places for places in _of_each(asked.individuals) if _comes_back(asked, places)]
    if len(some) < 4:
        raise UnusablePhotos(
            f"{counted(len(some), 'individual')} with photos to compare, and a split by individual "
            "needs four: two to train on and two to ask"
        )
    away = min(max(round(asked.share * len(some)), 2), len(some) - 2)
    for which in rng.permutation(len(some))[:away]:
        side[some[which]] = QUERY
    return side


def _open(asked: Asked) -> Places:
    """Half of those who ask are new, the other half the latest photos of those who stay."""
    side, rng = asked.sides(), asked.rng()
    each = _of_each(asked.individuals)
    if len(each) < 3:
        raise UnusablePhotos(
            f"{counted(len(each), 'individual')}, and an open split needs three or more: one who "
            "is new, and two to train on"
        )
    away = min(max(round(asked.share / 2 * len(each)), 1), len(each) - 2)
    order = rng.permutation(len(each))
    for which in order[:away]:
        side[each[which]] = QUERY
    known = (asked.encounters[asked.individuals >= 0] >= 0).any()
    later = False
    for which in np.sort(order[away:]):
        places = each[which]
        # Where nothing tells encounters apart, every photo is one; `flatters` says so.
        groups = asked.encounters[places] if known else np.arange(len(places))
        last = {int(g): asked.days[places[groups == g]].max() for g in np.unique(groups) if g >= 0}
        if len(last) < 2:
            continue
        draws = rng.permutation(len(last))
        latest = [g for _, _, g in sorted(zip(last.values(), draws, last, strict=True))]
        taken = min(max(round(asked.share / 2 * len(last)), 1), len(last) - 1)
        side[places[np.isin(groups, latest[-taken:])]] = QUERY
        later = True
    if not later:
        raise UnusablePhotos("every individual was met only once, so nobody known can ask")
    return _without_leaks(side, asked) if known else side


def _at_random(asked: Asked) -> Places:
    side, rng = asked.sides(), asked.rng()
    for places in _of_each(asked.individuals):
        if len(places) >= 2:
            taken = min(max(round(asked.share * len(places)), 1), len(places) - 1)
            side[rng.permutation(places)[:taken]] = QUERY
    if not (side == QUERY).any():
        raise UnusablePhotos("each individual has one photo only, so none can be found again")
    return side


def _needs_encounters(asked: Asked) -> None:
    if not (asked.encounters >= 0).any():
        raise UnusablePhotos(
            "the photos have neither encounters nor dates, so it is not known which are "
            "near-copies of one another; write one of them into the table, or split by individual"
        )


def _without_leaks(side: Places, asked: Asked) -> Places:
    """Drop the photos of unknown encounter of whoever asks: they may be of one that asks."""
    asks = np.isin(asked.individuals, asked.individuals[side == QUERY])
    side[(side == TRAIN) & (asked.encounters < 0) & asks] = DROPPED
    return side


def _of_each(individuals: Places) -> list[Places]:
    """The places of each individual's photos."""
    order = np.argsort(individuals, kind="stable")
    order = order[individuals[order] >= 0]
    return np.split(order, np.flatnonzero(np.diff(individuals[order])) + 1) if len(order) else []


def _draw(sizes: Places, wanted: float, rng: np.random.Generator) -> list[int]:
    """Groups drawn until about `wanted` photos are; at least one, and never all."""
    taken: list[int] = []
    total = 0
    for group in rng.permutation(len(sizes)).tolist():
        if total + sizes[group] <= wanted and len(taken) < len(sizes) - 1:
            taken.append(group)
            total += int(sizes[group])
    return taken or [int(np.argmin(sizes))]


def _comes_back(asked: Asked, places: Places) -> bool:
    """Whether an individual can be found again: two encounters, or two photos if none is known."""
    groups = asked.encounters[places]
    known = np.unique(groups[groups >= 0])
    return len(places) >= 2 and (len(known) >= 2 or not len(known))


SIDES: dict[By, Callable[[Asked], Places]] = {
    "given": _given,
    "encounter": _by_encounter,
    "day": _by_day,
    "date": _by_date,
    "individual": _by_individual,
    "open": _open,
    "random": _at_random,
}
