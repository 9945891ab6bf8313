"""Going on with a training that was killed."""

from __future__ import annotations

import hashlib
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fastai.callback.core import Callback, CancelEpochException
from fastai.torch_core import get_model
from fastcore.foundation import L
from torch import nn

from resight.learn.callbacks import TrainingError
from resight.learn.ranks import rank
from resight.learn.together import everybody, wait


class Resume(Callback):
    """Saves the state after an epoch, and takes a training up again where it was stopped.

    Give it to the `fit` call that may be killed, and to the same call afterwards: the finished
    epochs are passed over, and the rest is what it would have been. The network, the optimiser,
    the loss and all chance are taken up again; what another callback remembers is not.

    Args:
        path: the state's file.
        keep: leave the file there once the training is through, as long as its result is not safe;
            the same call then passes over every epoch.
        every: seconds from one state to the next: of few photos an epoch is over in less than a
            second, and to save takes a fifth of that. The first and the last epoch are saved.

    Raises:
        ResightError: the file is not a state, or that of another training; it is left alone.

    Example:
        >>> learn.fit_one_cycle(10, 3e-3, cbs=Resume("out/state.pth"))
    """

    order = 65  # after the recorder, before the epochs are skipped

    def __init__(self, path: str | Path, *, keep: bool = False, every: float = 0.0) -> None:
        self.path, self.keep, self.every = Path(path), keep, every
        self.done = 0
        self._saved = -math.inf  # when

    @staticmethod
    def begun_with(path: Path) -> tuple[int, tuple[int, int]] | None:
        """Epochs, and (height, width) of the photos, that a training was begun with.

        By its state; None if there is none, or it does not tell.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            height, width = state["training"]["size"]
            return int(state["training"]["epochs"]), (int(height), int(width))
        except Exception:  # no state, or none of ours: `before_fit` says so
            return None

    def after_create(self) -> None:
        """Called where it was given to the learner, which then also resumes when it validates."""
        raise TrainingError("give Resume to the fit call (fit_one_cycle(…, cbs=Resume(path)))")

    def before_fit(self) -> None:
        """Load the state, if there is one."""
        self.done = 0
        self._training = self._describe()
        wait()  # until process 0 has written what it had to
        if self.path.exists():
            state = self._read()
            try:
                self._take(state)
            except Exception as error:
                raise self._foreign("it does not fit this network and loss") from error
            self.done = state["done"]
        if len(set(everybody(self.done))) > 1:
            raise TrainingError(
                f"{self.path}: not all processes see this state of the training; the folder must "
                "be one that every machine sees, or begin anew"
            )

    def before_epoch(self) -> None:
        """Pass over what is done."""
        for loader in self.learn.dls.loaders:
            loader.epoch = self.learn.epoch
        if self.learn.epoch < self.done:
            raise CancelEpochException

    def after_epoch(self) -> None:
        """Save, if it is time; the file is replaced whole."""
        if self.learn.epoch < self.done:
            return
        self.done = self.learn.epoch + 1
        if rank():
            return  # process 0 writes; the others are where it is
        if time.monotonic() - self._saved < self.every and self.done < self.learn.n_epoch:
            return
        loss, smooth = self.learn.loss_func, self.learn.recorder.smooth_loss
        state = {
            "training": self._training,
            "done": self.done,
            "model": get_model(self.learn.model).state_dict(),
            "optimizer": _plain(self.learn.opt.state_dict()),
            "loss": loss.state_dict() if isinstance(loss, nn.Module) else {},
            "chance": torch.get_rng_state(),  # of dropout and the like
            "chance_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "figures": dict(getattr(self.learn, "figures", {})),
            "best": getattr(self.learn, "best", None),
            "smooth_loss": [smooth.val, smooth.count],
        }
        part = self.path.with_name(self.path.name + ".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(state, part)
            part.replace(self.path)
            self._saved = time.monotonic()
        except (OSError, RuntimeError) as error:
            part.unlink(missing_ok=True)
            why = " ".join(str(error).split())[:200]
            raise TrainingError(
                f"{self.path}: the training's state cannot be written ({why}); make room, or "
                "choose another place"
            ) from error

    def after_fit(self) -> None:
        """A finished training needs no state."""
        if self.done == self.learn.n_epoch and not self.keep and not rank():
            self.path.unlink(missing_ok=True)

    def _describe(self) -> dict[str, Any]:
        """What must be the same for the rest to be what it would have been."""
        loader = self.learn.dls.train
        digest = hashlib.sha256()
        for tensor in (loader.photos.pixels, loader.photos.labels):
            digest.update(tensor.contiguous().numpy().data)
        return {
            "epochs": self.learn.n_epoch,
            "batches": len(loader),
            "batch": [getattr(loader.batches, of, 0) for of in ("individuals", "photos")],
            "size": list(loader.photos.size),
            "seed": loader.seed,
            "photos": digest.hexdigest(),
        }

    def _read(self) -> dict[str, Any]:
        try:
            state = torch.load(self.path, map_location=self.learn.dls.device, weights_only=True)
            before = dict(state["training"])
        except Exception as error:
            raise self._foreign("it cannot be read as one") from error
        before.setdefault("batch", self._training["batch"])  # older states do not tell
        changed = [k for k, now in self._training.items() if before.get(k) != now]
        if changed:
            raise self._foreign(f"that one had other {' and '.join(changed)}")
        return state

    def _take(self, state: dict[str, Any]) -> None:
        learn = self.learn
        if isinstance(learn.loss_func, nn.Module):
            learn.loss_func.load_state_dict(state["loss"])
        get_model(learn.model).load_state_dict(state["model"])
        optimizer = state["optimizer"]
        if "hypers" in optimizer:  # fastai's own, which wants its own list back
            optimizer["hypers"] = L(optimizer["hypers"])
        learn.opt.load_state_dict(optimizer)
        torch.set_rng_state(state["chance"].cpu())
        if state["chance_cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all([chance.cpu() for chance in state["chance_cuda"]])
        learn.figures = state["figures"]
        learn.best = state.get("best")
        smooth, (value, count) = learn.recorder.smooth_loss, state["smooth_loss"]
        smooth.val, smooth.count = value.cpu(), count  # where fastai keeps it

    def _foreign(self, why: str) -> TrainingError:
        return TrainingError(
            f"{self.path}: not the state of this training ({why}); delete the file to begin anew, "
            "or go on with what it was begun with"
        )


def _plain(value: Any) -> Any:
    """The same in types that torch loads without running code: fastai has its own list."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(_plain(one) for one in value)
    if isinstance(value, list | L):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value
