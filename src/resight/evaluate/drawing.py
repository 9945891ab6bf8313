"""The picture of a map: who lies where, and where the queries fell.

Colours are those of Okabe and Ito ("Color Universal Design", 2008), which colour-blind people can
tell apart, and every colour comes with a shape of its own. The largest individuals are drawn in
them and listed in the legend; all others are grey, and named in the map where there is room.
"""

import os
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.errors import ResightError
from resight.evaluate.lettering import INK, Room, shortened, write
from resight.evaluate.ranking import listed

# Their yellow is darkened, to be seen on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#A08A00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # 8 and 7: 56 pairs before one comes again
STYLED = 20
_GREY = "#B8B8B8"
_STAR = {"facecolors": "#FFE600", "edgecolors": INK, "marker": "*", "linewidths": 0.9}
_MOST_NAMES = 600  # tried in the map; past that there is no room for another
_DPI = 150
_BORDER = 75  # pixels


def draw_map(
    positions: ArrayLike,
    labels: Sequence[Hashable] | NDArray[Any],
    *,
    path: str | Path,
    queries: ArrayLike | None = None,
    query_labels: Sequence[Hashable] | NDArray[Any] | None = None,
    highlight: Iterable[Hashable] | None = None,
    title: str | None = None,
) -> Path:
    """Draw a map as a PNG file of 1650 × 1275 pixels.

    Args:
        positions: (n, 2) places of the photos, from `Map.positions`.
        labels: (n,) individuals; any text is safe, long names are shortened.
        path: the file to write; it appears whole or not at all.
        queries: (q, 2) places of queries, from `Map.place`: stars, boxed and named.
        query_labels: (q,) names of the queries; those of one name that lie together share a box.
        highlight: individuals to draw in colour, all others grey; default the largest.
        title: above the map.

    Returns:
        the path.

    Raises:
        ResightError: arrays that do not fit, places that are not finite, or a folder that cannot
            be written to.
    """
    # The object interface: no global state, no window, safe in threads.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    places, names = _checked(positions, labels, "photos")
    asked, ask_names = _checked(
        np.empty((0, 2)) if queries is None else queries,
        ["query"] * (0 if queries is None else len(np.asarray(queries)))
        if query_labels is None
        else query_labels,
        "queries",
    )
    individuals: dict[Hashable, list[int]] = {}
    for row, name in enumerate(names):
        individuals.setdefault(name, []).append(row)
    by_size = sorted(individuals, key=lambda name: (-len(individuals[name]), str(name)))
    styled = by_size[: STYLED if len(by_size) > STYLED + 4 else len(by_size)]
    if highlight is not None:
        wanted = set(highlight)
        styled = [name for name in by_size if name in wanted][: len(COLOURS) * len(MARKERS)]
    styled = sorted(styled, key=_natural) if len(styled) == len(by_size) else styled
    style = {name: _style(place) for place, name in enumerate(styled)}

    figure = Figure(figsize=(11, 8.5), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes: Any = figure.add_axes((0.02, 0.02, 0.76, 0.92 if title else 0.96))
    axes.set_axis_off()
    _frame(axes, np.concatenate((places, asked)))
    if title:
        write(figure, 0.025, 0.975, shortened(title, 90), size=15, weight="bold", va="top")

    # Many photos: small and faint, so that density shows.
    area = float(np.clip(20_000 / max(len(places), 1), 9, 70))
    alpha = float(np.clip(400 / max(len(places), 1) ** 0.75, 0.4, 0.9))
    grey = [row for name in by_size if name not in style for row in individuals[name]]
    axes.scatter(*places[grey].T, s=area * 0.7, c=_GREY, alpha=alpha, linewidths=0)
    for name in sorted(styled, key=lambda name: -len(individuals[name])):
        axes.scatter(*places[individuals[name]].T, s=area, alpha=alpha, **style[name])

    taken = Room(axes)
    boxes = _draw_queries(axes, asked, ask_names, taken)
    few = len(by_size) <= 2 * STYLED
    # A heap can bear its name; of a few photos it stands beside them, or nowhere but the legend.
    heaps = {name for name, rows in individuals.items() if few and len(rows) >= 20}
    others = [name for name in by_size if name not in style][: _MOST_NAMES - len(styled)]
    for part in (styled, others):
        middles = [_medoid(places[individuals[name]]) for name in part]
        loose = [row for name in part if name not in heaps for row in individuals[name]]
        for place in places[loose] if few else middles:
            taken.dot(place)
        for name, middle in zip(part, middles, strict=True):
            shade = _darker(_colour(style[name])) if name in style else "#6B6B6B"
            if name in heaps:
                size = 15.0
            elif few and not heaps:  # there is room, and no larger name beside it
                size = 12.0
            else:
                size = 8.5 if name in style else 6.5
            taken.name(middle, shortened(name), size, shade, on=name in heaps, bold=name in style)
    _legend(figure, style, {name: len(rows) for name, rows in individuals.items()}, boxes)
    return _save(figure, Path(path))


def _natural(name: Hashable) -> tuple[int, int, str]:
    """Numbers by value, then words."""
    text = str(name)
    return (0, int(text), "") if text.isdecimal() and text.isascii() else (1, 0, text)


def _medoid(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the place nearest to the median of all."""
    away = ((places - np.median(places, axis=0)) ** 2).sum(axis=1)
    return np.asarray(places[away.argmin()])


def _checked(
    positions: ArrayLike, labels: Sequence[Hashable] | NDArray[Any], what: str
) -> tuple[NDArray[np.float64], list[Any]]:
    places = np.asarray(positions, np.float64).reshape(-1, 2) if len(np.shape(positions)) else None
    if places is None or np.shape(positions)[1:] != (2,) or not np.isfinite(places).all():
        raise ResightError(
            f"{what}: places must be finite and (n, 2), got shape {np.shape(positions)}"
        )
    names = listed(labels)
    if len(names) != len(places):
        raise ResightError(f"{what}: {len(places)} places but {len(names)} names")
    return places, names


def _style(place: int) -> dict[str, Any]:
    """How the individual at a place of the legend is drawn; every second round is hollow."""
    colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
    if place // len(COLOURS) % 2:
        return {"facecolors": "none", "edgecolors": colour, "marker": marker, "linewidths": 1.1}
    return {"facecolors": colour, "edgecolors": "none", "marker": marker, "linewidths": 0}


def _colour(style: dict[str, Any]) -> str:
    return next(c for c in (style["facecolors"], style["edgecolors"]) if c != "none")


def _frame(axes: Any, places: NDArray[np.float64]) -> None:
    """Let every place lie inside the picture, with one scale for both directions."""
    if not len(places):
        places = np.zeros((1, 2))
    low, high = places.min(axis=0), places.max(axis=0)
    pixels = np.array([axes.bbox.width, axes.bbox.height])
    # A border wide enough for the box round a query.
    half = pixels / 2 * max(float(((high - low) / (pixels - 2 * _BORDER)).max()), 1e-9)
    middle = (low + high) / 2
    axes.set_xlim(middle[0] - half[0], middle[0] + half[0])
    axes.set_ylim(middle[1] - half[1], middle[1] + half[1])


def _draw_queries(axes: Any, places: NDArray[np.float64], names: list[Any], taken: Room) -> int:
    """Draw stars, a box around those of one name that lie together, and the name beside it."""
    from matplotlib.patches import FancyBboxPatch

    if not len(places):
        return 0
    axes.scatter(*places.T, s=150, zorder=8, **_STAR)
    spots = axes.transData.transform(places)
    reach = 12 * taken.pixel
    groups: list[tuple[Any, list[int]]] = []
    for row, name in enumerate(names):
        near = [
            group for group in groups
            if group[0] == name
            and (np.abs(spots[group[1]] - spots[row]).max(axis=1) < 3 * reach).any()
        ]  # fmt: skip
        rows = sorted([row, *(other for group in near for other in group[1])])
        groups = [group for group in groups if group not in near] + [(name, rows)]
    shells = [
        np.concatenate((spots[rows].min(axis=0) - reach, spots[rows].max(axis=0) + reach))
        for _, rows in groups
    ]
    for shell in shells:
        taken.take(shell)
        axes.add_patch(
            FancyBboxPatch(
                (shell[0], shell[1]), shell[2] - shell[0], shell[3] - shell[1],
                boxstyle="round,pad=0,rounding_size=6", transform=None,
                fill=False, edgecolor=INK, linewidth=1.6, zorder=7,
            )
        )  # fmt: skip
    for (name, rows), shell in zip(groups, shells, strict=True):
        count = f" ×{len(rows)}" if len(rows) > 1 else ""
        _name_box(axes, shell, shortened(name) + count, taken)
    return len(places)


def _name_box(axes: Any, shell: NDArray[np.float64], name: str, taken: Room) -> None:
    """Write a query's name as near to its box as there is room, with a line to it if far."""
    from matplotlib.lines import Line2D

    label = write(
        axes, 0, 0, name, size=10, weight="bold", ha="center", va="center", zorder=10,
        transform=None,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": INK, "lw": 0.8},
    )  # fmt: skip
    area = label.get_window_extent(taken.renderer)
    half = np.array([area.width, area.height]) / 2 + 4 * taken.pixel
    centre, reach = (shell[:2] + shell[2:]) / 2, (shell[2:] - shell[:2]) / 2
    middle = centre + np.array([0, reach[1] + half[1]])
    for distance in (0.0, 20, 45, 80, 125, 180, 250):
        angles = np.deg2rad(90 + np.array([0, 180, -90, 90, -45, 45, -135, 135]))
        for toward in np.stack((np.cos(angles), np.sin(angles)), axis=1):
            spot = centre + np.round(toward, 3) * (reach + half + distance * taken.pixel)
            box = np.concatenate((spot - half, spot + half))
            if taken.free(box):
                middle = spot
                break
        else:
            continue
        break
    taken.take(np.concatenate((middle - half, middle + half)))
    label.set_position(tuple(middle))
    edge = np.clip(middle, shell[:2], shell[2:])
    if np.abs(edge - middle).max() > half.max() + 2:
        line = Line2D(*zip(edge, middle, strict=True), color=INK, lw=0.8, zorder=9, transform=None)
        axes.add_line(line)


def _legend(
    figure: Any, style: dict[Any, dict[str, Any]], sizes: dict[Any, int], queries: int
) -> None:
    """List who is drawn how; never more lines than fit."""
    axes = figure.add_axes((0.79, 0.02, 0.20, 0.92))
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    lines = max(len(style) + 3, 24)
    axes.set_ylim(lines, 0)
    height = 0.5
    size = min(10.0, 250 / lines)
    rows = [(look, shortened(name), sizes[name]) for name, look in style.items()]
    rest = [sizes[name] for name in sizes if name not in style]
    if rest:
        others = "others" if style else "individuals"
        grey = {"facecolors": _GREY, "edgecolors": "none", "marker": "o"}
        rows.append((grey, f"{len(rest):,} {others}", sum(rest)))
    if queries:
        rows.append((_STAR, "queries" if queries > 1 else "query", queries))
    for look, name, count in rows:
        axes.scatter(0.04, height, s=130 if look is _STAR else 42, clip_on=False, **look)
        text = write(axes, 0.12, height, name, size=size, va="center")
        number = write(
            axes, 1.0, height, f"{count:,}", size=size, va="center", ha="right", color="#707070"
        )
        room = number.get_window_extent().x0 - 6
        letters = len(name)
        while text.get_window_extent().x1 > room and letters > 9:
            letters -= 1
            text.set_text(shortened(name, letters))
        height += 1


def _darker(colour: str) -> str:
    """The colour for writing on white: dark enough to read."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"#{int(red * 0.6):02x}{int(green * 0.6):02x}{int(blue * 0.6):02x}"


def _save(figure: Any, path: Path) -> Path:
    """Write beside the file first, so that no half picture is ever left."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        figure.savefig(part, format="png", dpi=_DPI)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ResightError(f"{path}: cannot write the map ({error.strerror or error})") from error
    return path
