"""Tables as they lie on a disk, a row at a time: CSV, TSV, Parquet and Excel."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from resight.errors import UnusablePhotos
from resight.photos.columns import has_path
from resight.words import counted

TEXT = frozenset({".csv", ".tsv", ".txt", ".tab"})
PARQUET = frozenset({".parquet", ".pq"})
EXCEL = frozenset({".xlsx", ".xlsm"})

# A sheet unpacks to ten or twenty times its file; a file made to fill the memory, to a thousand.
_MOST_UNPACKED, _MOST_TIMES, _HARMLESS = 1 << 30, 100, 50 << 20
_EXCEL_ROWS = 1 << 20  # that Excel itself has
_BATCH = 10_000  # rows of a Parquet file at a time
csv.field_size_limit(1 << 24)  # an outline of a place may have some 100,000 characters
_FIRST = re.compile(r"[^\W_]")  # a letter or a digit, in any script


@dataclass(frozen=True)
class Rows:
    """A table: its columns' names, and its rows as they are drawn.

    Attributes:
        columns: the names as they stand there.
        rows: the number of each, as a person would count it, and its values, as long as `columns`
            (more, where the row has too many): text, numbers, dates, lists, None.
        kind: what a row is called there: a line, a row, an annotation.
    """

    columns: Sequence[str]
    rows: Iterator[tuple[int, Sequence[Any]]]
    kind: str = "line"


def open_rows(
    table: Path,
    say: Callable[[str], None] = lambda words: None,
    columns: Mapping[str, str] | None = None,
) -> Rows:
    """Open a table by its file's kind.

    The rows can raise as they are drawn, as what is wrong with a file may come late in it.

    Args:
        table: the file.
        say: told in a sentence which of an Excel file's sheets is read.
        columns: our name to the table's own, by which the sheet with a column of paths is found.

    Raises:
        UnusablePhotos: it cannot be read at all, or is of another kind.
    """
    suffix = table.suffix.lower()
    if suffix in PARQUET:
        return _parquet(table)
    if suffix in EXCEL:
        return _excel(table, say, columns or {})
    if suffix in (".xls", ".ods", ".numbers", ".xlsb"):
        raise UnusablePhotos(f"{table}: {suffix} is not read; save it as .xlsx or as CSV")
    return _text(table)


def _text(table: Path) -> Rows:
    try:
        raw = table.read_bytes()
        # As spreadsheets write it: with a mark, or as "Unicode text".
        wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        text = raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise UnusablePhotos(f"{table}: is not text in UTF-8; save it as CSV UTF-8") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UnusablePhotos(f"{table}: {why}") from None
    del raw
    separator = max(",;\t", key=_heading(text).count)  # spreadsheets differ by country
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)

    def rows() -> Iterator[tuple[int, list[str]]]:
        line = 0
        try:
            for row in reader:
                line = reader.line_num
                if row:
                    yield line, row
        except csv.Error as error:
            # Of a quote that is not closed the reader sees only that there is no end to it.
            endless = '"' in text and re.search("end of data|field limit", str(error))
            why = "a quote in it is not closed" if endless else str(error)
            raise UnusablePhotos(
                f"{table}, line {line + 1}: is no CSV ({why}); close its quotes, and write two for "
                "one that belongs to the text"
            ) from None

    every = rows()
    # Spreadsheets may leave nothing but separators above the heading.
    columns = next((row for _, row in every if _FIRST.search("".join(row))), [])
    return Rows(columns, every)


def _heading(text: str) -> str:
    """The first line with a letter or a digit in it."""
    first = _FIRST.search(text)
    place = first.start() if first else 0
    return text[text.rfind("\n", 0, place) + 1 : text.find("\n", place) + 1 or None]


def _parquet(table: Path) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def refused(error: Exception) -> UnusablePhotos:
        what = " ".join(str(error).split())[:120]
        return UnusablePhotos(f"{table}: is no Parquet file, or a damaged one ({what})")

    try:
        file = pq.ParquetFile(table)
        columns = file.schema_arrow.names
    except FileNotFoundError:
        raise UnusablePhotos(f"{table}: No such file or directory") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise refused(error) from None

    def rows() -> Iterator[tuple[int, Sequence[Any]]]:
        number = 0
        try:
            for batch in file.iter_batches(_BATCH):
                for values in zip(*(_plain(column) for column in batch.columns), strict=True):
                    number += 1
                    yield number, values
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise refused(error) from None

    return Rows(columns, rows(), "row")


def _plain(column: Any) -> list[Any]:
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        # Python's own dates have no nanoseconds.
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values


def _excel(table: Path, say: Callable[[str], None], columns: Mapping[str, str]) -> Rows:
    try:
        from openpyxl import load_workbook  # type: ignore[import-untyped]
    except ImportError:
        raise UnusablePhotos(
            f"{table}: what reads Excel's files is not installed: pip install openpyxl; or save "
            "it as CSV"
        ) from None
    _check_unpacked(table)
    with ExitStack() as stack:
        try:
            book = load_workbook(table, read_only=True, data_only=True, keep_links=False)
            stack.callback(book.close)
            sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        except Exception as error:  # openpyxl raises a dozen kinds on damaged files
            raise _no_excel(table, error) from None
        names, every = _with_paths(table, sheets, say, columns)
        left_open = stack.pop_all()

    def rows() -> Iterator[tuple[int, Sequence[Any]]]:
        with left_open:
            yield from every

    return Rows(names, rows())


def _with_paths(
    table: Path, sheets: Sequence[Any], say: Callable[[str], None], columns: Mapping[str, str]
) -> tuple[list[str], Iterator[tuple[int, Sequence[Any]]]]:
    """The heading of the first sheet that has a column of paths, and its further rows."""
    if not sheets:
        raise UnusablePhotos(f"{table}: has no sheet to read")
    for read in sheets:
        every = _sheet(table, read)
        _, heading = next(every, (0, ()))
        names = ["" if name is None else str(name) for name in heading]
        if len(sheets) == 1 or has_path(names, columns):
            break
    else:
        raise UnusablePhotos(
            f"{table}: not one of its sheets ({_titles(sheets)}) has a column called path; name "
            "the columns in the first line of one, such as: path,individual,date; or say which it "
            "is with --column path=NAME"
        )
    if len(sheets) > 1:
        which = f"first sheet, {read.title}"
        if read is not sheets[0]:
            which = f"sheet {read.title}, the first with a column of paths"
        others = _titles([sheet for sheet in sheets if sheet is not read])
        say(f"{table}: read is its {which}; not {others}")
    return names, every


def _sheet(table: Path, sheet: Any) -> Iterator[tuple[int, Sequence[Any]]]:
    """The rows of a sheet that are not empty."""
    try:
        with suppress(AttributeError):
            sheet.reset_dimensions()  # some programs write wrong ones
        # A row may claim any number, and those before it would be made up.
        every = islice(sheet.iter_rows(values_only=True), _EXCEL_ROWS)
        for number, row in enumerate(every, 1):
            if any(value is not None for value in row):
                yield number, row
    except Exception as error:
        raise _no_excel(table, error) from None


def _titles(sheets: Sequence[Any]) -> str:
    more = ", …" if len(sheets) > 3 else ""
    return ", ".join(sheet.title for sheet in sheets[:3]) + more


def _no_excel(table: Path, error: Exception) -> UnusablePhotos:
    what = " ".join(str(error).split())[:120] or type(error).__name__
    return UnusablePhotos(f"{table}: is no Excel file, or a damaged one ({what})")


def _check_unpacked(table: Path) -> None:
    """An Excel file is a zip: see what it would unpack to, before it does."""
    try:
        with zipfile.ZipFile(table) as packed:
            parts = packed.infolist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise UnusablePhotos(f"{table}: {error.strerror}") from None
        raise _no_excel(table, error) from None
    large, small = sum(part.file_size for part in parts), sum(part.compress_size for part in parts)
    if large > _MOST_UNPACKED or (large > _HARMLESS and large > _MOST_TIMES * small):
        raise UnusablePhotos(
            f"{table}: would unpack to {counted(large >> 20, 'megabyte')}; save it as CSV"
        )
