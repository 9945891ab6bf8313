"""Is the probability true, and is a newcomer told? On cows and whales that were not calibrated on.

    RESIGHT_DATA=… python benchmarks/decision.py --vectors vectors.npz   # or --model model.onnx

Holstein: the catalogue is what was photographed up to 2025-04-03; asked is what came from
2025-04-14 on, 28 % of it cows that the catalogue has never seen. Right whales: three tenths of the
individuals are held out entirely; the catalogue is the `train` photos of the others, asked are all
`test` photos. The catalogue calibrates itself on its own photos, and its parameters, threshold and
cuts are then used as they are; the share of new individuals is

- expected: what the catalogue's own past suggests, and each photo is asked by itself;
- asked: also what the asked photos suggest, taken together, without knowing who they show;
- true: as it is (in hindsight: what there is to gain by knowing it).

`.npz`: arrays `paths` (n,) below the set's folder, `vectors` (n, dim) and, where the model was
trained on photos of the catalogue, `seen`, bool (n,): which. They ask nothing in the calibration,
and their individuals are no newcomers in it.
"""

import argparse
import csv
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resight.catalogue.calibrate import Calibration, calibrate
from resight.catalogue.conformal import candidate_sets, covered, unbounded
from resight.catalogue.decision import BEYOND, NEW, probabilities, share_among, usual_parameters
from resight.catalogue.evidence import Evidence, combined, evidence, nearest_few
from resight.catalogue.identify import REMEMBERED
from resight.evaluate.calibration import reliability
from resight.evaluate.open_set import open_set_figures

CATALOGUE_UNTIL, ASKED_FROM = np.datetime64("2025-04-03"), np.datetime64("2025-04-14")


@dataclass(frozen=True)
class Photos:
    """Vectors (n, dim), who, when (NaT: unknown), trained on, the catalogue's, asked."""

    vectors: NDArray[np.float32]
    who: NDArray[np.str_]
    days: NDArray[np.datetime64]
    seen: NDArray[np.bool_]
    enrolled: NDArray[np.bool_]
    asked: NDArray[np.bool_]


@dataclass(frozen=True)
class Asked:
    """What t questions found, what is true, which encounter asks, and its weight."""

    found: Evidence
    truth: NDArray[np.int64]
    encounter: NDArray[np.int64]
    individual: NDArray[np.str_]
    weights: NDArray[np.float64]


def holstein(folder: Path, vectors: dict[str, NDArray], seen: set[str]) -> Photos:
    rows = list(csv.DictReader((folder / "days.csv").open()))
    rows = [row for row in rows if row["date"]]
    days = np.array([row["date"] for row in rows], "datetime64[D]")
    return Photos(
        np.stack([vectors[row["path"]] for row in rows]),
        np.array([row["identity"] for row in rows]),
        days,
        np.array([row["path"] in seen for row in rows]),
        days <= CATALOGUE_UNTIL,
        days >= ASKED_FROM,
    )


def held_out(who: NDArray[np.str_]) -> NDArray[np.str_]:
    """Three tenths of the individuals, for whom the catalogue has no photo."""
    everybody = np.random.default_rng(0).permutation(np.unique(who))
    return everybody[: 3 * len(everybody) // 10]


def right_whale(folder: Path, vectors: dict[str, NDArray], seen: set[str]) -> Photos:
    rows = list(csv.DictReader((folder / "split.csv").open()))
    who = np.array([row["identity"] for row in rows])
    away = np.isin(who, held_out(who))
    test = np.array([row["split"] == "test" for row in rows])
    days = np.full(len(rows), "NaT", "datetime64[D]")
    made = np.stack([vectors[f"photos/{row['Image']}"] for row in rows])
    trained = np.array([f"photos/{row['Image']}" in seen for row in rows])
    return Photos(made, who, days, trained, ~test & ~away, test)


def ask(photos: Photos) -> Asked:
    """Every asked photo alone, and every encounter of several together."""
    inside = np.flatnonzero(photos.enrolled)
    inside = inside[np.argsort(photos.who[inside], kind="stable")]
    names, starts, counts = np.unique(photos.who[inside], return_index=True, return_counts=True)
    asked = np.flatnonzero(photos.asked)
    cells = photos.vectors[asked] @ photos.vectors[inside].T
    similarity, support = nearest_few(cells, starts)
    keys = [
        (who, str(day)) if not np.isnat(day) else (who, str(row))
        for row, who, day in zip(asked, photos.who[asked], photos.days[asked], strict=True)
    ]
    parts, truth, encounters, individuals, weights = [], [], [], [], []
    for number, key in enumerate(dict.fromkeys(keys)):
        rows = [place for place, other in enumerate(keys) if other == key]
        groups = [([row], 1 / len(rows)) for row in rows]
        groups += [(rows, 1.0)] if len(rows) > 1 else []
        for group, weight in groups:
            part, order = evidence(similarity[group], counts, support=support[group])
            place = np.flatnonzero(names[order] == key[0])
            known = BEYOND if key[0] in names else NEW
            parts.append(part)
            truth.append(int(place[0]) if len(place) else known)
            encounters.append(number)
            individuals.append(key[0])
            weights.append(weight)
    return Asked(
        combined(parts),
        np.array(truth),
        np.array(encounters),
        np.array(individuals),
        np.array(weights),
    )


def report(name: str, asked: Asked, made: Calibration) -> None:
    alone = asked.found.asked == 1
    for kind, which in (("single photos", alone), ("encounters of several", ~alone)):
        rows = np.flatnonzero(which)
        truth = asked.truth[rows]
        is_new = truth == NEW
        if not len(rows) or is_new.all() or not is_new.any():
            continue
        found, encounter = asked.found.of(rows), asked.encounter[rows]
        weights = asked.weights[rows]
        base = probabilities(found, made.parameters, 0.5)
        labels = asked.individual[rows].tolist()
        hit = base.known.argmax(axis=1) == truth
        opened = open_set_figures(
            made.parameters.threshold - base.odds,
            [own if good else f"not {own}" for own, good in zip(labels, hit, strict=True)],
            labels,
            {own for own, new in zip(labels, is_new, strict=True) if not new},
            threshold=0.0,
            resamples=300,
        )
        best = max(
            np.sqrt(_baks(base.odds, hit, labels, is_new, cut)) for cut in np.unique(base.odds)
        )
        print(
            f"\n{name}, {len(rows):,} {kind}, {is_new.mean():.0%} new: right among known "
            f"{(truth == 0)[~is_new].mean():.3f}, AUROC {opened.auroc}, BAKS {opened.baks}, BAUS "
            f"{opened.baus}, geometric mean {opened.geometric_mean} (best in hindsight {best:.3f})"
        )
        past = REMEMBERED / max(REMEMBERED, sum(made.expected))
        shares = {
            "expected": made.parameters.share,
            "asked": share_among(
                base.odds, weights, (made.expected[0] * past, made.expected[1] * past)
            ),
            "true": float(is_new.mean()),
        }
        print("| share of new | | ECE of the answer | of new | mean probability | right |")
        print("|---|---|---|---|---|---|")
        for word, share in shares.items():
            p = probabilities(found, made.parameters, share)
            says_new = p.new >= p.known.max(axis=1)
            right = np.where(says_new, is_new, hit)
            sure = np.maximum(p.new, p.known.max(axis=1))
            answer = reliability(sure, right, groups=encounter)
            new = reliability(p.new, is_new, groups=encounter)
            print(
                f"| {word} | {share:.3f} | {answer.error:.3f} (floor {answer.floor:.3f}) "
                f"| {new.error:.3f} (floor {new.floor:.3f}) | {sure.mean():.3f} "
                f"| {right.mean():.3f} |"
            )
        for promise in made.promises:
            members, with_new = candidate_sets(base, promise, alone[rows])
            everybody = unbounded(promise, alone[rows])
            inside = covered(members, with_new, truth, everybody)
            shown, with_own = members.copy(), with_new.copy()
            picks = np.where(base.odds > made.parameters.threshold, -1, base.known.argmax(axis=1))
            shown[picks >= 0, picks[picks >= 0]] = True
            with_own |= picks < 0
            as_shown = covered(shown, with_own, truth, everybody).mean()
            size = np.where(everybody, found.individuals, members.sum(axis=1)) + with_new
            print(
                f"sets of {promise.level:.0%} ({promise.score}): hold the truth in "
                f"{inside.mean():.1%} ({np.average(inside, weights=weights):.1%} "
                f"by encounter; known {inside[~is_new].mean():.1%}, new {inside[is_new].mean():.1%}"
                f"; {as_shown:.1%} with the answer itself), {size.mean():.1f} of "
                f"{found.individuals[0] + 1} names"
            )


def _baks(odds, hit, labels, is_new, cut) -> float:  # type: ignore[no-untyped-def]
    own = np.unique(labels, return_inverse=True)[1]
    good = np.where(is_new, odds > cut, hit & (odds <= cut))
    rate = np.bincount(own, good) / np.bincount(own)
    new = np.bincount(own, is_new) > 0
    return float(rate[~new].mean() * rate[new].mean())


def load_vectors(
    path: Path | None, model: Path | None, folder: Path
) -> tuple[dict[str, NDArray], set[str]]:
    if path is not None:
        with np.load(path) as file:
            keys = [str(key).rpartition(f"{folder.name}/")[2] for key in file["paths"]]
            vectors = np.asarray(file["vectors"], np.float32)
            seen = file["seen"] if "seen" in file.files else np.zeros(len(keys), bool)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        trained = {key for key, was in zip(keys, seen, strict=True) if was}
        return dict(zip(keys, vectors, strict=True)), trained
    from resight.fingerprint import Fingerprinter, load_model
    from resight.photos.content import content_hash

    files = sorted((folder / "photos").rglob("*.jpg"))
    loaded = load_model(model)
    made = Fingerprinter(loaded)(files)
    names = {place: files[place].relative_to(folder).as_posix() for place in made.index}
    told = loaded.card.photos_seen
    trained = {name for place, name in names.items() if content_hash(files[place])[:16] in told}
    return dict(zip(names.values(), made.vectors, strict=True)), trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--sets", nargs="+", default=["holstein", "right_whale"])
    parser.add_argument("--since", help="calibrate only with photos of this day or later")
    options = parser.parse_args()
    if (options.vectors is None) == (options.model is None):
        parser.error("give either --vectors or --model")
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    data = Path(os.environ.get("RESIGHT_DATA") or beside)
    for name, read in (("holstein", holstein), ("right_whale", right_whale)):
        if name not in options.sets:
            continue
        try:
            photos = read(data / name, *load_vectors(options.vectors, options.model, data / name))
        except KeyError as error:
            print(f"{name}: no vector for {error}; left out")
            continue
        start = time.perf_counter()
        mine = photos.enrolled
        made = calibrate(
            photos.vectors[mine],
            photos.who[mine],
            np.full(mine.sum(), -1),
            photos.days[mine],
            usual=usual_parameters(drawings=False, closely=False),
            since=np.datetime64(options.since) if options.since else None,
            seen=photos.seen[mine],
        )
        seconds = time.perf_counter() - start
        print(
            f"\n## {name}\n{mine.sum():,} photos enrolled; calibrated in {seconds:.1f} s on "
            f"{made.encounters:,} encounters, {made.resightings:,} with somebody seen before.\n"
            + ", ".join(f"{key} {value:.3g}" for key, value in made.parameters.to_dict().items())
        )
        if made.figures:
            print(
                "on itself, across folds: ECE "
                f"{made.figures['answer']['error']:.3f}, "
                + ", ".join(
                    f"{kind} AUROC {made.figures[kind]['AUROC']['value']:.3f} geometric mean "
                    f"{made.figures[kind]['geometric mean']['value']:.3f}"
                    for kind in ("single", "encounter")
                    if kind in made.figures
                )
            )
        report(name, ask(photos), made)


if __name__ == "__main__":
    main()
