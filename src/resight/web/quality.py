"""Quality: how true the probabilities are here, how good the model is, and what would help."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from resight.catalogue.calibrated import OLD, Kept
from resight.catalogue.calibration_words import hardly_tells, lines
from resight.errors import ResightError
from resight.web.desk import Desk, OfDesk, page
from resight.web.evaluated import Measured, evaluate_catalogue, measured
from resight.web.figures import BARS, SQUARE, cards_of, diagrams_of, opened_of, sets_of
from resight.web.jobs import Job, JobOut
from resight.web.shapes import Given, PhotoOut

router = APIRouter()
NAMES = 40  # of individuals that lack something
AT_ONCE = 5_000  # photos that are measured without being asked to
PAIRS = 24


class GapsOut(BaseModel):
    """What would make the catalogue surer."""

    individuals: int
    one_photo: int
    one_photo_names: list[str]
    one_encounter: int
    one_encounter_names: list[str]
    without_side: dict[str, int]
    without_side_names: dict[str, list[str]]
    sided: int = Field(description="Photos whose side is told.")
    photos: int
    decisions: int = Field(description="Since the calibration that counts.")
    named: int = Field(description="Photos with a name, less those that there were then.")
    advice: list[str]


class Progress(BaseModel):
    """How far the work is; null where none has been asked for."""

    calibrate: JobOut | None
    evaluate: JobOut | None


class Calibrate(Given):
    """How to calibrate."""

    closely: bool = Field(default=False, description="By keypoints, too: takes minutes.")
    share_new: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = Field(
        default=None,
        description="How often somebody new is expected; null: as in the past.",
    )


class Sentence(BaseModel):
    """A sentence of the report."""

    words: str
    kind: str


class Pair(BaseModel):
    """A photo that is nearer to somebody else."""

    asked: PhotoOut
    taken_for: PhotoOut
    right: PhotoOut | None
    words: str


class Muddle(BaseModel):
    """Two individuals that are taken for one another."""

    names: list[str]
    times: int
    asked: int


class EvaluationOut(BaseModel):
    """How good the model is on this catalogue."""

    revision: int
    current: bool = Field(description="Whether nothing has been decided since.")
    said: list[Sentence]
    muddles: list[Muddle] = Field(description="Who is taken for whom, the most often first.")
    pairs: list[Pair] = Field(description="The surest mistakes, as pictures.")


@router.get("/quality", include_in_schema=False, response_class=HTMLResponse)
def quality_page(request: Request, desk: OfDesk) -> HTMLResponse:
    """The calibration as it is kept; what takes longer is fetched by the page."""
    kept = desk.catalogue.newest_calibration()
    counts = desk.catalogue.counts()
    figures = kept.calibration.figures if kept else {}
    return page(
        request,
        "quality.html",
        active="/quality",
        counts=counts,
        kept=kept,
        old=kept is not None and counts.photos - counts.waiting > OLD * kept.calibration.photos,
        cards=cards_of(kept) if kept else [],
        diagrams=diagrams_of(figures),
        opened=opened_of(figures),
        sets=sets_of(kept) if kept else [],
        said=lines(kept, kept, desk.catalogue.model_id[:12]) if kept else [],
        weak=hardly_tells(figures),
        square=SQUARE,
        bars=BARS,
        measure_at_once=counts.photos - counts.waiting <= AT_ONCE,
    )


@router.get("/api/quality/gaps", tags=["quality"])
def quality_gaps(desk: OfDesk) -> GapsOut:
    """Who lacks photos, encounters or a side, and what has been decided since the calibration."""
    kept = desk.catalogue.newest_calibration()
    found = desk.catalogue.gaps(
        revision=kept.revision if kept else 0,
        photos_then=kept.calibration.photos if kept else 0,
    )
    return GapsOut(
        individuals=found.individuals,
        one_photo=len(found.one_photo),
        one_photo_names=list(found.one_photo[:NAMES]),
        one_encounter=len(found.one_encounter),
        one_encounter_names=list(found.one_encounter[:NAMES]),
        without_side={word: len(some) for word, some in found.without_side.items()},
        without_side_names={word: [*some[:NAMES]] for word, some in found.without_side.items()},
        sided=found.sided,
        photos=found.photos,
        decisions=found.decisions,
        named=found.named,
        advice=_advice(desk, kept),
    )


@router.get("/api/quality/progress", tags=["quality"])
def quality_progress(desk: OfDesk) -> Progress:
    """How far the calibration and the measuring are."""
    return Progress(
        calibrate=JobOut.of(desk.jobs.get("calibrate")),
        evaluate=JobOut.of(desk.jobs.get("evaluate")),
    )


@router.post("/api/quality/calibrate", tags=["quality"])
def calibrate(desk: OfDesk, how: Calibrate) -> JobOut:
    """Make the probabilities true on the catalogue's own photos, beside the pages."""

    def work(job: Job) -> None:
        kept = desk.catalogue.calibrate(closely=how.closely, share_new=how.share_new)
        made = kept.calibration
        words = "Calibrated" if made.enough else f"Not enough yet: there are {made.missing()}"
        job.tell(words, 1.0, news=True)

    counts = desk.catalogue.counts()
    many = f"{counts.photos - counts.waiting:,} named photos"
    job = desk.jobs.start("calibrate", f"Asking {many} of one another", work)
    out = JobOut.of(job)
    assert out is not None
    return out


@router.post("/api/quality/evaluate", tags=["quality"])
def evaluate(desk: OfDesk) -> JobOut:
    """Measure how good the model is on this catalogue, beside the pages."""
    job = desk.jobs.start("evaluate", "Reading", lambda job: evaluate_catalogue(desk, job))
    out = JobOut.of(job)
    assert out is not None
    return out


@router.get("/api/quality/evaluation", tags=["quality"])
def evaluation(desk: OfDesk) -> EvaluationOut | None:
    """What was measured last; null where nothing has been since the review began."""
    found = measured(desk)
    if found is None:
        return None
    from resight.evaluate.report_words import summary

    wrong = found.found.confusions[:PAIRS]
    ids = {found.ids[p] for one in wrong for p in (one.query, one.nearest, one.right) if p >= 0}
    shown = _there(desk, sorted(ids))
    pairs = []
    for one in wrong:
        asked, taken = shown.get(found.ids[one.query]), shown.get(found.ids[one.nearest])
        if asked is None or taken is None:
            continue
        pairs.append(
            Pair(
                asked=asked,
                taken_for=taken,
                right=shown.get(found.ids[one.right]) if one.right >= 0 else None,
                words=f"{1 - one.similarity:.2f} away; the nearest of its own "
                f"{1 - one.right_similarity:.2f}",
            )
        )
    return EvaluationOut(
        revision=found.revision,
        current=found.revision == desk.catalogue.revision(),
        said=[Sentence(words=one.words, kind=one.kind) for one in summary(found.found)],
        muddles=_muddles(found),
        pairs=pairs,
    )


@router.get("/quality/report.html", include_in_schema=False)
async def report(desk: OfDesk) -> Response:
    """The evaluation as one page of its own, to be kept or sent to somebody."""
    found = measured(desk)
    if found is None:
        raise ResightError("nothing has been measured yet: press Measure on the page Quality first")

    def write() -> str:
        from resight.evaluate.report import report_page

        card = desk.catalogue.card
        return report_page(
            found.found,
            found.photos,
            title=f"{card.body or 'the model'} on {desk.name}",
            about=[
                ("model", desk.catalogue.model_id),
                ("photos", f"{len(found.photos):,} named photos of the catalogue"),
            ],
        )

    text = await to_thread.run_sync(write, limiter=desk.pictures.limiter)
    name = "".join(letter if letter.isalnum() else "-" for letter in desk.name)
    return Response(
        text,
        media_type="text/html",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{_quoted(name)}-report.html"
        },
    )


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text)


def _there(desk: Desk, ids: list[int]) -> dict[int, PhotoOut]:
    """Those of the photos that are still in the catalogue."""
    try:
        return {one.id: PhotoOut.of(one) for one in desk.catalogue.shown(ids)}
    except ResightError:  # one has gone meanwhile: the measuring is to be done again
        return {}


def _muddles(found: Measured) -> list[Muddle]:
    times: dict[tuple[str, str], int] = {}
    asked: dict[str, int] = {}
    for person in found.found.people:
        asked[str(person.name)] = person.asked
        if person.taken_for is not None and person.gallery:
            one, other = sorted((str(person.name), str(person.taken_for)))
            times[one, other] = times.get((one, other), 0) + person.times
    most = sorted(times.items(), key=lambda item: (-item[1], item[0]))[:12]
    return [
        Muddle(names=list(pair), times=many, asked=sum(asked.get(name, 0) for name in pair))
        for pair, many in most
    ]


def _advice(desk: Desk, kept: Kept | None) -> list[str]:
    if kept is None:
        return ["Calibrate: until then there is no probability to trust, and nobody is called new."]
    made = kept.calibration
    said = []
    if made.trained_on > made.photos / 2:
        said.append(
            f"The model was trained on {made.trained_on:,} of these photos, which therefore ask "
            "nothing; photos that it has not seen make the figures honest."
        )
    if not made.forward:
        said.append(
            "Most photos have no date, so each was asked of all others; with dates each is asked "
            "of what was known before it, as it will be."
        )
    return said
