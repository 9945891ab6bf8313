"""The learner: what a fastai user expects of it, and honest figures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback
from fastai.callback.tracker import SaveModelCallback
from matplotlib.colors import to_hex
from pytorch_metric_learning import losses, miners
from torch import Tensor, nn

from learning import made_up_photos, one_thread, small_learner  # noqa: F401
from resight.errors import ResightError, UnusablePhotos
from resight.evaluate.metrics import retrieval
from resight.learn import (
    ContrastiveLoss,
    PhotoSet,
    ReidLearner,
    TripletLoss,
    Warp,
    create_embedder,
    with_miner,
)
from resight.learn.data import validation_batches
from resight.learn.show import WRONG


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ReidLearner:
    """Two epochs on noisy photos, so that some of its answers are wrong."""
    learn = small_learner(
        tmp_path_factory.mktemp("trained"),
        train=made_up_photos(noise=100),
        valid=made_up_photos(noise=100, seed=1),
        augment=[Warp()],
    )
    learn.fit_one_cycle(2, 3e-3)
    return learn


def _weights(learn: ReidLearner) -> list[Tensor]:
    return [p.detach().clone() for p in learn.model.state_dict().values()]


def _same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_it_learns(tmp_path: Path) -> None:
    learn = small_learner(tmp_path)
    before = learn.validate()[1]
    learn.fit_one_cycle(4, 3e-3)
    assert learn.figures["mAP"] > 0.9
    assert learn.figures["train_loss"] < 0.2
    assert before < learn.figures["R@1"]


def test_finding_a_rate_leaves_the_weights(tmp_path: Path) -> None:
    learn = small_learner(tmp_path)
    before = _weights(learn)
    found = learn.lr_find(num_it=12, show_plot=False)
    assert 1e-7 < found.valley < 10
    assert _same(before, _weights(learn))
    assert learn.figures == {}
    assert [p.name for p in tmp_path.rglob("*.pth")] == []


def test_saved_weights_come_back(trained: ReidLearner, tmp_path: Path) -> None:
    trained.save("kept")
    other = small_learner(tmp_path, seed=5)
    assert not _same(_weights(trained), _weights(other))
    other.path = trained.path
    other.load("kept")
    assert _same(_weights(trained), _weights(other))
    other.fit(1, 1e-3)  # and it goes on from there, with the optimiser's state


def test_freezing_keeps_the_body(tmp_path: Path) -> None:
    learn = small_learner(tmp_path)
    learn.freeze()
    before = [p.detach().clone() for p in learn.model.body.parameters() if p.ndim == 4]
    head = learn.model.head[0].weight.detach().clone()
    learn.fit(1, 1e-2)
    convolutions = [p for p in learn.model.body.parameters() if p.ndim == 4]
    assert all(torch.equal(a, b) for a, b in zip(before, convolutions, strict=True))
    assert not torch.equal(head, learn.model.head[0].weight)
    learn.unfreeze()
    learn.fit(1, 1e-2)
    assert not any(torch.equal(a, b) for a, b in zip(before, convolutions, strict=True))
    learn.fine_tune(1, 1e-3)


def test_figures_are_of_all_photos_together(trained: ReidLearner) -> None:
    photos: PhotoSet = trained.dls.valid.photos
    embeddings, labels = trained.embed(photos.pixels).numpy(), photos.labels.numpy()
    whole = retrieval(embeddings, labels, resamples=0)
    assert trained.figures["R@1"] == whole.rank_1.value
    assert trained.figures["mAP"] == pytest.approx(whole.mean_ap.value, abs=1e-6)
    # In small batches, every photo is asked of a few others only, and the mean flatters.
    batches = validation_batches(photos.labels, photos=2, size=8)
    parts = [retrieval(embeddings[b], labels[b], resamples=0).mean_ap.value for b in batches]
    assert np.mean(parts) > whole.mean_ap.value + 0.05
    trained.dls.valid.batches, before = batches, trained.dls.valid.batches
    try:
        loss, rank_1, mean_ap = trained.validate()
    finally:
        trained.dls.valid.batches = before
    assert rank_1 == whole.rank_1.value
    assert mean_ap == pytest.approx(whole.mean_ap.value, abs=1e-6)
    assert loss > 0


def test_predictions_come_in_the_photos_order(trained: ReidLearner) -> None:
    for at, photos in enumerate((trained.dls.train.photos, trained.dls.valid.photos)):
        embeddings, labels = trained.get_preds(ds_idx=at)
        assert torch.equal(labels, photos.labels)
        torch.testing.assert_close(embeddings, trained.embed(photos.pixels), rtol=0, atol=1e-6)


def test_measuring_something_else_does_not_change_the_figures(trained: ReidLearner) -> None:
    before = dict(trained.figures)
    trained.validate(ds_idx=0)
    trained.get_preds(ds_idx=0)
    trained.lr_find(num_it=12, stop_div=False, suggest_funcs=None, show_plot=False)
    assert trained.figures == before
    assert set(before) == {"train_loss", "valid_loss", "R@1", "mAP"}


def test_embedding_leaves_the_network_in_its_mode(trained: ReidLearner) -> None:
    pixels = trained.dls.valid.photos.pixels
    trained.model.train()
    out = trained.embed(pixels, batch_size=7)
    assert trained.model.training
    torch.testing.assert_close(out.norm(dim=1), torch.ones(len(pixels)))
    torch.testing.assert_close(out, trained.embed(pixels), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        TripletLoss("hard", "soft"),
        ContrastiveLoss(),
        losses.TripletMarginLoss(),
        with_miner(losses.TripletMarginLoss(), miners.TripletMarginMiner(type_of_triplets="hard")),
        with_miner(losses.MultiSimilarityLoss(), miners.MultiSimilarityMiner()),
        lambda embeddings, labels: (embeddings.mean(0) ** 2).sum(),
    ],
    ids=["batch-hard", "contrastive", "theirs", "mined", "multi-similarity", "a function"],
)
def test_any_loss_trains(loss: Any, tmp_path: Path) -> None:
    learn = small_learner(tmp_path, loss=loss)
    before = _weights(learn)
    learn.fit(1, 1e-3)
    assert np.isfinite(learn.figures["train_loss"])
    assert not _same(before, _weights(learn))


@pytest.mark.parametrize("kind", [losses.ArcFaceLoss, losses.ProxyAnchorLoss])
def test_a_loss_with_centres_is_trained_too(kind: Any, tmp_path: Path) -> None:
    gradients: list[bool] = []

    class Watch(Callback):
        def before_step(self) -> None:
            gradients.extend(p.grad is not None for p in self.learn.loss_func.parameters())

    loss = kind(num_classes=6, embedding_size=16)
    learn = small_learner(tmp_path, loss=loss, cbs=[Watch()])
    before = next(loss.parameters()).detach().clone()
    learn.lr_find(num_it=8, show_plot=False)
    assert torch.equal(before, next(loss.parameters()))
    learn.fit(2, 1e-2)
    after = next(loss.parameters()).detach().clone()
    assert not torch.equal(before, after)
    assert gradients
    assert all(gradients)
    assert np.isfinite(learn.figures["valid_loss"])
    learn.save("kept")
    other = small_learner(tmp_path, loss=kind(num_classes=6, embedding_size=16))
    other.load("kept")
    assert torch.equal(after, next(other.loss_func.parameters()))


def test_centres_know_nothing_of_unseen_individuals(tmp_path: Path) -> None:
    everyone = made_up_photos(9)
    train = everyone.take(range(48))
    strangers = PhotoSet.of(
        everyone.pixels[48:].numpy(), [everyone.names[i] for i in everyone.labels[48:]]
    )
    known = PhotoSet(train.pixels, train.labels, train.names[:6])
    loss = losses.ArcFaceLoss(num_classes=6, embedding_size=16)
    learn = small_learner(tmp_path, train=known, valid=strangers, loss=loss)
    learn.fit(1, 1e-3)
    assert "valid_loss" not in learn.figures  # NaN
    assert 0 <= learn.figures["R@1"] <= 1

    few = losses.ArcFaceLoss(num_classes=4, embedding_size=16)
    learn = small_learner(tmp_path, train=known, valid=strangers, loss=few)
    with pytest.raises(ResightError, match="centres for 4 individuals") as caught:
        learn.fit(1, 1e-3)
    assert "\n" not in str(caught.value)


def test_a_batch_is_drawn_one_row_an_individual(trained: ReidLearner, tmp_path: Path) -> None:
    figure = trained.show_batch(individuals=3, photos=2, path=tmp_path / "new" / "batch.png")
    assert (tmp_path / "new" / "batch.png").stat().st_size > 1000
    assert len(figure.axes) == 3 * 2
    pixels, labels = trained.dls.train.one_batch()
    rows = [figure.axes[i].get_title(loc="left") for i in (0, 2, 4)]
    assert len(set(rows)) == 3
    assert set(rows) <= {trained.dls.train.photos.names[i] for i in labels.tolist()}
    drawn = [np.asarray(axis.images[0].get_array()) for axis in figure.axes]
    batch = [image[0].numpy() for image in pixels]
    assert all(any(np.allclose(image, one) for one in batch) for image in drawn)


def test_results_cross_out_what_is_wrong(trained: ReidLearner, tmp_path: Path) -> None:
    photos: PhotoSet = trained.dls.valid.photos
    figure = trained.show_results(queries=8, nearest=5, path=tmp_path / "results.png")
    assert (tmp_path / "results.png").stat().st_size > 1000
    similarity = trained.embed(photos.pixels)
    similarity = similarity @ similarity.T
    chosen = np.random.default_rng(0).choice(len(photos), 8, replace=False)
    right = wrong = 0
    for row, query in enumerate(chosen):
        order = [i for i in similarity[query].argsort(descending=True).tolist() if i != query]
        for column, at in enumerate(order[:5], start=1):
            axis = figure.axes[row * 6 + column]
            correct = bool(photos.labels[at] == photos.labels[query])
            assert (to_hex(axis.spines["left"].get_edgecolor()) == WRONG.lower()) == (not correct)
            assert len(axis.lines) == (not correct)  # the cross
            right, wrong = right + correct, wrong + (not correct)
    assert right > 0
    assert wrong > 0


def test_results_of_two_photos_can_be_drawn(tmp_path: Path) -> None:
    learn = small_learner(tmp_path, valid=made_up_photos(2, 1))
    assert len(learn.show_results().axes) == 2 * 2


def test_progress_is_shown_or_not(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    small_learner(tmp_path).fit(1, 1e-3)
    assert capfd.readouterr().out == ""
    small_learner(tmp_path, bar=True).fit(1, 1e-3)
    assert "0.0" in capfd.readouterr().out  # the row of figures


def test_callbacks_may_watch_the_figures(tmp_path: Path) -> None:
    watch = SaveModelCallback(monitor="mAP", fname="best")
    learn = small_learner(tmp_path)
    learn.fit_one_cycle(2, 3e-3, cbs=watch)
    assert (tmp_path / "models" / "best.pth").exists()


def test_half_precision_is_a_choice(tmp_path: Path) -> None:
    for wanted in (True, False):
        learn = small_learner(tmp_path, half_precision=wanted)
        kinds: set[tuple[bool, torch.dtype]] = set()
        learn.model.head.register_forward_hook(
            lambda module, _, out, kinds=kinds: kinds.add((module.training, out.dtype))
        )
        learn.fit(1, 1e-3)
        kind = torch.bfloat16 if wanted else torch.float32
        assert kinds == {(True, kind), (False, torch.float32)}


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    made = []
    for seed in (4, 4, 5):
        learn = small_learner(tmp_path, seed=seed, augment=[Warp()])
        learn.fit(1, 1e-3)
        made.append(_weights(learn))
    assert _same(made[0], made[1])
    assert not _same(made[0], made[2])


def test_a_batch_takes_all_individuals_where_they_are_few(tmp_path: Path) -> None:
    learn = small_learner(tmp_path, individuals=None)
    pixels, labels = learn.dls.train.one_batch()
    assert (len(pixels), len(labels.unique())) == (12, 6)


def test_individuals_of_one_photo_among_others_do(tmp_path: Path) -> None:
    photos = made_up_photos()
    learn = small_learner(tmp_path, train=photos.take([0, 1, 8, 9, 16, 24, 32]))
    learn.fit(1, 1e-3)
    assert np.isfinite(learn.figures["train_loss"])


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"valid": made_up_photos(size=(16, 20))}, "one size"),
        ({"valid": made_up_photos(channels=3)}, "one size"),
        ({"valid": made_up_photos().take([])}, "no validation photos"),
        ({"train": made_up_photos(1)}, "two"),
        ({"train": made_up_photos(6, 1)}, "two photos"),
        ({"body": create_embedder(size=(28, 28))}, "the embedder takes"),
        ({"body": "nope"}, "no body 'nope'"),
    ],
)
def test_what_cannot_be_learned_from_is_one_line(
    wish: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ResightError, match=words) as caught:
        small_learner(tmp_path, **wish)
    assert "\n" not in str(caught.value)
    if "train" in wish or "valid" in wish:
        assert isinstance(caught.value, UnusablePhotos)


def test_an_embedder_of_ones_own_is_taken(tmp_path: Path) -> None:
    body = create_embedder(size=(16, 16), dim=8)
    body.head = nn.Linear(body.head[0].in_features, 8)
    learn = small_learner(tmp_path, body=body)
    learn.fit(1, 1e-3)
    assert learn.embed(made_up_photos().pixels).shape == (48, 8)
