"""Which photos are searched: of one side, a place, a time, an area."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.store import Store
from resight.errors import ResightError

_EARTH_KM = 6371.0088  # mean radius (IUGG)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a photo must be to be searched; whatever is None leaves nothing out.

    A photo of which it is not known (no side, no time, no place) is left out by a filter that asks
    for it.

    Attributes:
        side: the side that it shows, as written down ("left").
        place: the name of its encounter's place.
        since, until: when it was taken, both included; without a time of its own, when its
            encounter began. A moment without a zone is by the camera's clock; an encounter's,
            where nothing else is said, by UTC.
        near: latitude and longitude in degrees (WGS 84), and within how many kilometres of there
            its encounter was.
    """

    side: str | None = None
    place: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    near: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.since and self.until and _clock(self.since) > _clock(self.until):
            raise ResightError(
                f"no photo was taken since {_said(self.since, time.min)} and until "
                f"{_said(self.until, time.max)}: "
                "the first is later; change them over"
            )
        if self.near:
            latitude, longitude, km = self.near
            if not (abs(latitude) <= 90 and abs(longitude) <= 360 and 0 <= km < math.inf):
                raise ResightError(
                    f"near {latitude:g},{longitude:g},{km:g}: latitude is from -90 to 90, "
                    "longitude from -180 to 180, and the distance in km not below 0"
                )

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return any(value is not None for value in self._values())

    def _values(self) -> tuple[Any, ...]:
        return (self.side, self.place, self.since, self.until, self.near)

    @classmethod
    def parse(
        cls,
        *,
        side: str | None = None,
        place: str | None = None,
        since: str | None = None,
        until: str | None = None,
        near: str | None = None,
    ) -> Filters:
        """From words, as on a command line.

        Args:
            side, place: as above.
            since: a day ("2024-05-01") or a moment ("2024-05-01 14:30", ISO 8601).
            until: likewise; the whole of a day.
            near: "LATITUDE,LONGITUDE,KM", such as "-12.05,96.9,20".

        Raises:
            ResightError: what cannot be read as that.
        """
        return cls(
            side or None,
            place or None,
            _moment(since, "since", time.min) if since else None,
            _moment(until, "until", time.max) if until else None,
            _area(near) if near else None,
        )

    def words(self) -> str:
        """The filters in words: "left side, at Baja, since 2024-05-01"; "" without any."""
        said = []
        if self.side is not None:
            said.append(f"{self.side} side")
        if self.place is not None:
            said.append(f"at {self.place}")
        if self.since:
            said.append(f"since {_said(self.since, time.min)}")
        if self.until:
            said.append(f"until {_said(self.until, time.max)}")
        if self.near:
            latitude, longitude, km = self.near
            said.append(f"within {km:g} km of {latitude:g},{longitude:g}")
        return ", ".join(said)

    def to_dict(self) -> dict[str, Any]:
        """Only what is asked for, ready for JSON."""
        found = {
            "side": self.side,
            "place": self.place,
            "since": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
            "near": self.near and list(self.near),
        }
        return {name: value for name, value in found.items() if value is not None}


def photo_ids(store: Store, filters: Filters) -> npt.NDArray[np.int64]:
    """The ids of the photos that pass, int64, ascending; those without a name too.

    Raises:
        ResightError: the side is one that no photo is of.
    """
    photos, encounters = schema.photos, schema.encounters
    columns = [photos.c.id, encounters.c.latitude, encounters.c.longitude]
    statement = (
        sa.select(*columns)
        .outerjoin(encounters, encounters.c.id == photos.c.encounter_id)
        .where(*_conditions(filters))
        .order_by(photos.c.id)
    )
    with store.reading() as connection:
        rows = connection.execute(statement).all()
    ids = np.array([row[0] for row in rows], np.int64)
    if not len(ids) and filters.side is not None:
        check_side(store, filters.side)
    if filters.near is None or not len(ids):
        return ids
    latitude, longitude, km = filters.near
    found = np.array([row[1:] for row in rows], np.float64)
    return ids[distance_km(found[:, 0], found[:, 1], latitude, longitude) <= km]


def check_side(store: Store, side: str) -> None:
    """Refuse a side that no photo is of: a slip would look like an animal that nobody knows.

    Raises:
        ResightError: that; it says which sides there are.
    """
    table = schema.photos
    with store.reading() as connection:
        there = connection.scalars(
            sa.select(table.c.side).where(table.c.side.is_not(None), table.c.state == "in")
            .distinct().order_by(table.c.side)
        ).all()  # fmt: skip
    if _kept(side) not in there:
        sides = f"there are: {', '.join(there)}" if there else (
            "none has one yet (resight describe --photo PHOTO --side SIDE)"
        )  # fmt: skip
        raise ResightError(f"{store.place}: no photo is of the side {side!r}; {sides}")


def distance_km(
    latitudes: npt.NDArray[np.float64],
    longitudes: npt.NDArray[np.float64],
    latitude: float,
    longitude: float,
) -> npt.NDArray[np.float64]:
    """Great-circle distances in km from places (n,) to one place, all in degrees (haversine)."""
    up, here = np.radians(latitudes), math.radians(latitude)
    across = np.radians(longitudes - longitude)
    chord = np.sin((up - here) / 2) ** 2 + np.cos(up) * math.cos(here) * np.sin(across / 2) ** 2
    return 2 * _EARTH_KM * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))


def _conditions(filters: Filters) -> list[Any]:
    photos, encounters = schema.photos, schema.encounters
    conditions: list[Any] = []
    if filters.side is not None:
        conditions.append(photos.c.side == _kept(filters.side))
    if filters.place is not None:
        conditions.append(encounters.c.place == _kept(filters.place))
    if filters.since is not None:
        conditions.append(
            sa.or_(
                photos.c.taken_at >= _clock(filters.since),
                sa.and_(photos.c.taken_at.is_(None), encounters.c.began_at >= _utc(filters.since)),
            )
        )
    if filters.until is not None:
        conditions.append(
            sa.or_(
                photos.c.taken_at <= _clock(filters.until),
                sa.and_(photos.c.taken_at.is_(None), encounters.c.began_at <= _utc(filters.until)),
            )
        )
    if filters.near is not None:
        latitude, _, km = filters.near
        reach = math.degrees(km / _EARTH_KM) + 1e-9  # the rest is for `distance_km`
        conditions += [
            encounters.c.latitude.between(latitude - reach, latitude + reach),
            encounters.c.longitude.is_not(None),
        ]
    return conditions


def _kept(text: str) -> str:
    """A word as a catalogue keeps it, whatever keyboard it was typed on."""
    return unicodedata.normalize("NFC", text).strip()


def _clock(moment: datetime) -> datetime:
    """As a camera's clock shows it, which knows no zone."""
    return moment.replace(tzinfo=None)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _moment(text: str, what: str, of_day: time) -> datetime:
    try:
        try:
            return datetime.combine(date.fromisoformat(text.strip()), of_day)
        except ValueError:
            return datetime.fromisoformat(text.strip())
    except ValueError:
        raise ResightError(
            f"{what} {text[:40]!r}: is neither a day (2024-05-01) nor a moment (2024-05-01 14:30)"
        ) from None


def _area(text: str) -> tuple[float, float, float]:
    try:
        latitude, longitude, km = map(float, text.split(","))
    except ValueError:
        raise ResightError(
            f"near {text[:60]!r}: is not LATITUDE,LONGITUDE,KM in degrees and km "
            "(such as -12.05,96.9,20)"
        ) from None
    return latitude, longitude, km


def _said(moment: datetime, of_day: time) -> str:
    if moment.tzinfo is None and moment.time() == of_day:
        return moment.date().isoformat()
    return moment.isoformat(" ", "minutes")
