"""The answer beside a photo: candidates by probability, each with its best photos."""

from __future__ import annotations

from collections.abc import Sequence

from resight.catalogue import Answer, Candidate
from resight.catalogue.browse import Shown
from resight.errors import UnusableCatalogue
from resight.web.desk import Desk
from resight.web.shapes import AnswerOut, CandidateOut, CandidatePhoto, PhotoOut
from resight.web.words import answer_in_words, in_words, percent, set_in_words

TOP = 8
PHOTOS_EACH = 6


def answer_for(desk: Desk, photos: Sequence[int], *, top: int = TOP) -> AnswerOut:
    """Ask who is on photos of the catalogue, all of one individual.

    Raises:
        ResightError: a photo that is not there, or that cannot be asked about.
    """
    shown = desk.catalogue.shown(photos)
    try:
        (answer,) = desk.catalogue.identify_kept(
            list(photos), top=top, photos_each=PHOTOS_EACH, together=len(photos) > 1
        )
    except UnusableCatalogue:
        if desk.catalogue.counts().individuals:
            raise
        return _nobody_yet(desk)
    return told(desk, answer, {photo.side for photo in shown if photo.side})


def told(desk: Desk, answer: Answer, sides: set[str]) -> AnswerOut:
    """An answer as a page shows it.

    Args:
        desk: of this review.
        answer: from the catalogue.
        sides: which the photos asked about show; photos of the same ones come first.
    """
    calibrated = answer.basis is not None and answer.basis.calibrated
    sure = next((one for one in answer.sets if abs(one.level - 0.95) < 1e-9), None)
    inside = set(sure.individuals) if sure else set()
    found = {
        photo.id: photo
        for photo in desk.catalogue.shown(
            [match.photo for one in answer.candidates for match in one.photos]
        )
    }
    offered = sorted(
        answer.candidates,
        key=lambda one: (-(one.probability or 0.0) if calibrated else 0.0, one.distance),
    )
    candidates = [
        _candidate(one, found, sides, calibrated, one.individual in inside) for one in offered
    ]
    if answer.p_new is not None:
        new = CandidateOut(
            individual=None,
            probability=answer.p_new if calibrated else None,
            percent=percent(answer.p_new) if calibrated else "",
            words=in_words(answer.p_new) if calibrated else "",
            distance=None,
            in_set=sure is not None and sure.new,
            photos=[],
        )
        place = len(candidates)
        if calibrated:
            place = sum((one.probability or 0.0) >= answer.p_new for one in candidates)
        candidates.insert(place, new)
        # First comes what the catalogue says it is, be it by its threshold.
        if calibrated:
            candidates.sort(key=lambda one: one.individual != answer.individual)
    return AnswerOut(
        individual=answer.individual,
        new=calibrated and answer.is_new,
        words=answer_in_words(answer),
        calibrated=calibrated,
        basis=answer.basis.words() if answer.basis else "",
        set_words=set_in_words(answer),
        left_out=list(answer.left_out),
        candidates=candidates,
        suggested_name=desk.catalogue.suggested_name(),
    )


def _nobody_yet(desk: Desk) -> AnswerOut:
    return AnswerOut(
        individual=None,
        new=True,
        words="There is nobody to compare it with yet.",
        calibrated=False,
        basis="The catalogue has no individual yet.",
        set_words=None,
        left_out=[],
        candidates=[],
        suggested_name=desk.catalogue.suggested_name(),
    )


def _candidate(
    one: Candidate, found: dict[int, Shown], sides: set[str], calibrated: bool, in_set: bool
) -> CandidateOut:
    photos = [
        CandidatePhoto(
            **PhotoOut.of(found[match.photo]).model_dump(),
            distance=match.distance,
            same_side=found[match.photo].side in sides,
        )
        for match in one.photos
    ]
    photos.sort(key=lambda photo: not photo.same_side)  # the nearest first among each
    return CandidateOut(
        individual=one.individual,
        probability=one.probability if calibrated else None,
        percent=percent(one.probability) if calibrated else "",
        words=in_words(one.probability) if calibrated else "",
        distance=one.distance,
        in_set=in_set,
        photos=photos,
    )
