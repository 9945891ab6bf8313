"""Everything that a catalogue holds as plain files: a table each, CSV or Parquet, and a README.

In CSV, nothing is an empty cell and an empty text is `""`. A text that a spreadsheet would run as a
formula gets an apostrophe in front (and so does one that begins with an apostrophe, so that taking
one off gives every text back as it was); `read_table` does that. Parquet keeps texts as they are.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.store import Store
from resight.errors import ResightError

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["csv", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "parquet")
# The tables of an export beside `fingerprints`; alembic's is of the database, not of the catalogue.
TABLES = (
    "individuals", "encounters", "photos", "decisions", "not_same",
    "actions", "changes", "calibrations", "models", "about",
)  # fmt: skip
# What spreadsheets take for the beginning of a formula, full-width forms included.
FORMULA = tuple("=+-@\t\r＝＋－＠")
_ROWS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        folder: where.
        rows: for each file how many.
    """

    folder: Path
    rows: dict[str, int]


def export(
    store: Store, out: str | os.PathLike[str], *, form: Format = "csv", vectors: bool | None = None
) -> Exported:
    """Write all tables into a new folder, as they are at one moment; all of them, or nothing.

    Args:
        store: the open catalogue.
        out: the folder; it must not exist, or be empty.
        form: "csv" or "parquet".
        vectors: whether fingerprints are written too; default in Parquet, and not in CSV.

    Raises:
        ResightError: another format, or a folder that is there or cannot be made.
    """
    if form not in FORMATS:
        raise ResightError(f"{form!r} is no format to export in; choose csv or parquet")
    vectors = form == "parquet" if vectors is None else vectors
    from resight.catalogue.export_readme import readme

    written: dict[str, int] = {}
    with whole_folder(out) as folder, store.reading() as connection:
        for name in TABLES:
            path = folder / f"{name}.{form}"
            written[path.name] = _write(connection, _query(name), _arrow_schema(name), path)
        for stem, model_id, dim in _models(connection) if vectors else ():
            table = schema.fingerprints
            query = _query("fingerprints").where(table.c.model_id == model_id, table.c.dim == dim)
            path = folder / f"{stem}.{form}"
            written[path.name] = _write(connection, query, _arrow_schema(stem, dim), path)
        about = connection.execute(sa.select(schema.about)).one()
        text = readme(store.place, form, about.model_id, about.revision, written)
        (folder / "README.txt").write_text(text, encoding="utf-8")
    return Exported(Path(out), written)


def read_table(path: str | os.PathLike[str]) -> pa.Table:
    """A table of an export, CSV or Parquet, as it was in the catalogue.

    Texts are as people gave them, JSON is text, moments are UTC, fingerprints a fixed-size list of
    float32.

    Raises:
        ResightError: no such file, or not one of an export.
    """
    path = Path(path)
    stem = path.stem.split("-")[0]
    if path.suffix not in (".csv", ".parquet") or stem not in (*TABLES, "fingerprints"):
        raise ResightError(f"{path}: is not a table of an export")
    if not path.is_file():
        raise ResightError(f"{path}: no such file")
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path)
    import pyarrow as pa
    from pyarrow import csv

    with path.open(encoding="utf-8") as file:
        dim = file.readline().count(",") + 1 - len(schema.fingerprints.c) + 1
    wanted = _arrow_schema(stem, dim)
    table = csv.read_csv(
        path,
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=_flat(wanted),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    columns = []
    for field in wanted:
        if pa.types.is_fixed_size_list(field.type):
            flat = np.stack([table[f"v{i}"].to_numpy() for i in range(dim)], axis=1).ravel()
            columns.append(pa.FixedSizeListArray.from_arrays(pa.array(flat), type=field.type))
        elif pa.types.is_string(field.type):
            columns.append(pa.array(map(bare, table[field.name].to_pylist()), field.type))
        else:
            columns.append(table[field.name])
    return pa.table(columns, schema=wanted)


def harmless(text: str | None) -> str | None:
    """A text as it goes into a CSV cell, where no spreadsheet runs it."""
    return f"'{text}" if text is not None and text.startswith((*FORMULA, "'")) else text


def bare(text: str | None) -> str | None:
    """The text that `harmless` was given."""
    return text[1:] if text is not None and text.startswith("'") else text


@contextmanager
def whole_folder(out: str | os.PathLike[str]) -> Iterator[Path]:
    """A folder to write in that takes its name when the block has ended well, or leaves nothing.

    Raises:
        ResightError: something is there already, or no folder to put it in, or it is not ours.
    """
    out = Path(out)
    if out.is_dir() and not any(out.iterdir()):
        out = out.absolute()
    elif out.exists() or out.is_symlink():
        raise ResightError(f"{out}: is there already; name a new folder")
    if not out.absolute().parent.is_dir():
        raise ResightError(f"{out}: the folder above it does not exist; make it first")
    part = out.absolute().with_name(f".{out.absolute().name}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir()
        yield part
        if out.is_dir():
            out.rmdir()  # Windows does not rename onto a folder, not even an empty one
        part.rename(out)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise ResightError(
            f"{out}: cannot be written: {error.strerror or error}; nothing was"
        ) from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _query(name: str) -> sa.Select[Any]:
    """All rows of a table; those of photos with the names that their numbers stand for."""
    table = schema.metadata.tables[name]
    query = sa.select(table).order_by(table.c.id)
    if name == "photos":
        people, encounters = schema.individuals, schema.encounters
        query = (
            query.add_columns(people.c.name, encounters.c.name)
            .outerjoin(people, people.c.id == table.c.individual_id)
            .outerjoin(encounters, encounters.c.id == table.c.encounter_id)
        )
    return query.execution_options(yield_per=_ROWS_AT_ONCE)


def _models(connection: sa.Connection) -> Iterator[tuple[str, str, int]]:
    """Of every model that made fingerprints the file's name, its id and its dimension."""
    table = schema.fingerprints
    in_use = connection.scalar(sa.select(schema.about.c.model_id))
    found = connection.execute(
        sa.select(table.c.model_id, table.c.dim).distinct().order_by(table.c.model_id, table.c.dim)
    ).all()
    for model_id, dim in found:
        yield "fingerprints" + f"-{model_id[:12]}" * (model_id != in_use), model_id, dim


def _arrow_schema(stem: str, dim: int = 0) -> pa.Schema:
    import pyarrow as pa

    name = stem.split("-")[0]
    kinds: list[tuple[type, Any]] = [
        (schema.UtcDateTime, pa.timestamp("us", "UTC")),
        (sa.DateTime, pa.timestamp("us")),
        (sa.Boolean, pa.bool_()),
        (sa.Integer, pa.int64()),
        (sa.Float, pa.float64()),
        (schema.FingerprintVector, pa.list_(pa.float32(), dim)),
    ]
    fields = [
        (
            column.name,
            next((kind for of, kind in kinds if isinstance(column.type, of)), pa.string()),
        )
        for column in schema.metadata.tables[name].c
    ]
    if name == "photos":
        fields += [("individual", pa.string()), ("encounter", pa.string())]
    return pa.schema(fields)


def _flat(wanted: pa.Schema) -> pa.Schema:
    """As CSV has it: a column for each number of a fingerprint."""
    import pyarrow as pa

    fields = []
    for field in wanted:
        if pa.types.is_fixed_size_list(field.type):
            fields += [(f"v{i}", pa.float32()) for i in range(field.type.list_size)]
        else:
            fields.append((field.name, field.type))
    return pa.schema(fields)


def _write(connection: sa.Connection, query: sa.Select[Any], wanted: pa.Schema, path: Path) -> int:
    """Write what a query finds, some thousand rows in memory at a time; how many there were."""
    import pyarrow as pa

    is_csv = path.suffix == ".csv"
    flat = _flat(wanted) if is_csv else wanted
    is_json = [isinstance(column.type, sa.JSON) for column in query.selected_columns]
    count = 0
    with _writer(path, flat) as writer:
        for rows in connection.execute(query).partitions():
            columns = zip(*rows, strict=True)
            arrays: list[pa.Array] = []
            for number, (field, column) in enumerate(zip(wanted, columns, strict=True)):
                if pa.types.is_fixed_size_list(field.type):
                    arrays += _vector_columns(column, field.type, is_csv)
                    continue
                values: Sequence[Any] = column
                if is_json[number]:
                    values = [v if v is None else json.dumps(v, ensure_ascii=False) for v in values]
                if is_csv and pa.types.is_string(field.type):
                    values = [harmless(value) for value in values]
                arrays.append(pa.array(values, field.type))
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=flat))
            count += len(rows)
    return count


def _vector_columns(blobs: Sequence[bytes], kind: pa.DataType, flat: bool) -> list[pa.Array]:
    import pyarrow as pa

    numbers = np.frombuffer(b"".join(blobs), "<f4").astype(np.float32, copy=False)
    if not flat:
        return [pa.FixedSizeListArray.from_arrays(pa.array(numbers), type=kind)]
    return [pa.array(column) for column in numbers.reshape(-1, kind.list_size).T.copy()]


def _writer(path: Path, wanted: pa.Schema) -> Any:
    if path.suffix == ".csv":
        from pyarrow import csv

        return csv.CSVWriter(path, wanted)
    import pyarrow.parquet as pq

    return pq.ParquetWriter(path, wanted, compression="zstd")
