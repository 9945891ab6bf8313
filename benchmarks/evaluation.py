"""Retrieval figures: Resight against pytorch-metric-learning's AccuracyCalculator, in one run.

    python benchmarks/evaluation.py          # 6,000 fingerprints, under a minute
    python benchmarks/evaluation.py --full   # 60,000 × 128, some minutes

Both get the same made-up fingerprints: individuals scattered over the sphere, photos around them
(or, "no structure", anywhere: the slowest case there is). The reference measures R@1 and MAP@R
(and, on the short sets, mAP) with its exact search: faiss where it is installed, else its own
CustomKNN. Ours measures all its figures, with 1,000 resamples for the intervals. Figures that
differ by more than 1e-5 end the run with an error.

The reference keeps several (queries × photos of the largest individual) arrays of 8 bytes a cell,
2.9 GB each for 10 individuals of 6,000 photos; that row is measured for Resight alone.
"""

import argparse
import os
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resight.evaluate.metrics import retrieval

DIM = 128


@dataclass(frozen=True)
class Case:
    individuals: int
    photos: int
    noise: float | None  # around each individual's direction; None: no structure
    reference: bool = True
    whole_ranking: bool = False  # the reference measures mAP too

    @property
    def name(self) -> str:
        spread = "no structure" if self.noise is None else f"noise {self.noise}"
        return f"{self.individuals:,} × {self.photos:,}, {spread}"


SHORT = (
    Case(10, 600, 2.5, whole_ranking=True),
    Case(600, 10, 1.2, whole_ranking=True),
    Case(10, 600, None, whole_ranking=True),
)
FULL = (
    Case(1000, 60, 1.5),
    Case(10_000, 6, 1.2),
    Case(10, 6000, 1.5, reference=False),
    Case(10, 6000, None, reference=False),
)


def fingerprints(case: Case) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(case.individuals), case.photos))
    vectors = rng.standard_normal((len(labels), DIM), np.float32)
    if case.noise is not None:
        centres = rng.standard_normal((case.individuals, DIM), np.float32)
        vectors = centres[labels] + np.float32(case.noise) * vectors
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


def by_reference(
    vectors: NDArray[np.float32], labels: NDArray[np.int64], case: Case
) -> dict[str, float]:
    import torch
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import CustomKNN, FaissKNN

    names = ["precision_at_1", "mean_average_precision_at_r"]
    if case.whole_ranking:
        names.append("mean_average_precision")
    search = FaissKNN() if has_faiss() else CustomKNN(CosineSimilarity(), batch_size=1024)
    calculator = AccuracyCalculator(
        include=tuple(names),
        k=len(labels) - 1 if case.whole_ranking else "max_bin_count",
        device=torch.device("cpu"),
        knn_func=search,
    )
    return calculator.get_accuracy(vectors, labels)


def has_faiss() -> bool:
    try:
        import faiss  # noqa: F401
    except ImportError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of evaluation")
    parser.add_argument("--full", action="store_true", help="60,000 fingerprints")
    cases = FULL if parser.parse_args().full else SHORT
    search = "faiss" if has_faiss() else "CustomKNN"
    print(f"{os.cpu_count()} cores; AccuracyCalculator searches with {search}\n")
    print("| individuals × photos | R@1 | MAP@R | mAP | Resight, s | reference, s | ratio |")
    print("|---|---|---|---|---|---|---|")
    warm_up = fingerprints(Case(5, 20, 1.0))
    retrieval(*warm_up)  # imports and threads are not what is measured
    by_reference(*warm_up, cases[0])
    for case in cases:
        vectors, labels = fingerprints(case)
        start = time.perf_counter()
        ours = retrieval(vectors, labels)
        seconds = time.perf_counter() - start
        theirs_text = ratio_text = "–"
        if case.reference:
            start = time.perf_counter()
            theirs = by_reference(vectors, labels, case)
            reference_seconds = time.perf_counter() - start
            theirs_text = f"{reference_seconds:.2f}"
            ratio_text = f"{reference_seconds / seconds:.1f}"
            for name, figure in (
                ("precision_at_1", ours.rank_1),
                ("mean_average_precision_at_r", ours.map_at_r),
                ("mean_average_precision", ours.mean_ap),
            ):
                if name in theirs and abs(theirs[name] - figure.value) > 1e-5:
                    raise SystemExit(f"{case.name}: {name} {theirs[name]} but ours {figure}")
        print(
            f"| {case.name} | {ours.rank_1.value:.4f} | {ours.map_at_r.value:.4f} "
            f"| {ours.mean_ap.value:.4f} | {seconds:.2f} | {theirs_text} | {ratio_text} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
