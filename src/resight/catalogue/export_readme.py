"""The README.txt of an export: what every file and every column holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

FILES = {
    "individuals": "everybody with a name",
    "encounters": "photos of one individual at one time and place",
    "photos": "the photos, junk ones and those whose adding was undone included (see state)",
    "fingerprints": "what the model made of the photos (one file a model; this one is in use)",
    "decisions": "who said what of which photo; lines are only ever added",
    "not_same": "pairs of photos that were said to show different individuals",
    "actions": "what people did, one line each command or click: the steps of undo",
    "changes": "the rows that an action changed, before and after",
    "calibrations": "what `resight calibrate` found; the newest of the model in use counts",
    "models": "the models that made the fingerprints",
    "about": "one line on the catalogue as a whole",
}
COLUMNS = {
    "individuals": {
        "id": "number; other files refer to it",
        "name": "unique among those that are not gone",
        "notes": "free text",
        "fields": "whatever else people keep of it, as JSON",
        "added_at": "UTC",
        "gone": "true: merged away, let go of, or its making undone; kept for history",
        "best_photo_id": "the photo chosen to know it by; counts while it is its own",
    },
    "encounters": {
        "id": "number; other files refer to it",
        "individual_id": "whose; empty before anybody knows",
        "name": "of the encounter",
        "began_at": "UTC",
        "place": "in words",
        "latitude": "degrees, WGS 84",
        "longitude": "degrees, WGS 84",
        "observer": "who saw it",
        "gone": "true: undone; kept for history",
    },
    "photos": {
        "id": "number; other files refer to it",
        "content_hash": "SHA-256 of the file's bytes, in hex",
        "box": "the part of the picture, four numbers; empty text for all of it",
        "path": "relative to the catalogue's folder when below it, else absolute",
        "individual_id": "who is on it; empty where nobody has said",
        "encounter_id": "its encounter",
        "taken_at": "by the camera's clock, which knows no time zone",
        "side": "which side of the animal it shows",
        "quality": "as given",
        "added_at": "UTC",
        "state": "in, junk, or gone (its adding was undone)",
        "changed": "revision of the catalogue at its last change",
        "individual": "name that individual_id stands for",
        "encounter": "name that encounter_id stands for",
    },
    "fingerprints": {
        "id": "number",
        "model_id": "the model that made it",
        "photo_id": "of which photo",
        "dim": "how many numbers",
        "vector": "float32, unit length (in CSV a column for each number: v0, v1, …)",
    },
    "decisions": {
        "id": "number, in the order of saying",
        "action_id": "the action that it was part of",
        "at": "UTC",
        "who": "said it",
        "what": "enrol, same, new, not the same, junk, …",
        "photo_id": "of which photo",
        "individual_id": "of which individual",
        "shown": "the candidates that the person saw, as JSON",
        "probability": "that was shown with them",
        "details": "what else it takes to understand it, as JSON",
    },
    "not_same": {
        "id": "number",
        "first_photo_id": "the photo with the lower number",
        "second_photo_id": "the other",
        "decision_id": "who said so",
        "gone": "true: taken back",
    },
    "actions": {
        "id": "number, in the order of doing",
        "at": "UTC",
        "who": "did it",
        "verb": "enrol, merge, undo, …",
        "summary": "what it was, in words",
        "revision": "of the catalogue after it",
        "undoes": "for undo and redo: which action",
    },
    "changes": {
        "id": "number",
        "action_id": "the action that made it",
        "table_name": "whose rows",
        "rows": "their numbers, as [first, last] runs in JSON",
        "before": "JSON: for each column one value for all rows, or a list",
        "after": "likewise",
    },
    "calibrations": {
        "id": "number",
        "at": "UTC",
        "model_id": "of which model",
        "revision": "of the catalogue that it was measured on",
        "parameters": "JSON",
        "figures": "JSON",
    },
    "models": {
        "id": "hash of its contents",
        "card": "what the model says of itself, as JSON",
        "path": "where its file was; relative to the catalogue's folder when below it",
        "added_at": "UTC",
    },
    "about": {
        "id": "always 1",
        "model_id": "makes the fingerprints in use",
        "made_with": "version of Resight",
        "made_at": "UTC",
        "revision": "one more with every change",
        "settings": "JSON",
    },
}
_CSV = """\
CSV: UTF-8, commas, the names of the columns in the first line. An empty cell is nothing; an empty
text is "". A text that begins with = + - @ (or a tab, a line break, or their full-width forms)
would be a formula to a spreadsheet, so it is written with an apostrophe in front: '=1+1. A text
that begins with an apostrophe gets one more. To have every text as it was, take one apostrophe off
those that begin with one; resight.catalogue.export.read_table does.
"""
_PARQUET = """\
Parquet: texts are as people gave them, JSON is text, moments have their zone, and fingerprints are
lists of float32 of fixed size.
"""


def readme(place: str, form: str, model_id: str, revision: int, written: Mapping[str, int]) -> str:
    """The text; `written` has for each file the number of its rows."""
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    parts = [
        f"The catalogue {place}\n"
        f"as it was on {made} UTC, at revision {revision}; model {model_id}.\n",
        _CSV if form == "csv" else _PARQUET,
    ]
    for file, rows in written.items():
        name = file.rsplit(".", 1)[0].split("-")[0]
        lines = [f"{file} ({rows:,} rows): {FILES[name]}"]
        lines += [f"    {column:16} {words}" for column, words in COLUMNS[name].items()]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)
