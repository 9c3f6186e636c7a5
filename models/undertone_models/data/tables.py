"""Text tables from outside: read whole, as rows of stripped strings, or refused with a reason."""

import csv
from collections.abc import Iterable
from pathlib import Path

from undertone_service.protocol.errors import ErrorCode, UndertoneError

Row = dict[str, str]


def read_table(path: Path, required: Iterable[str] = ()) -> list[Row]:
    """Read a table with a heading line, separated by tabs where the heading has one, else by commas.

    A cell that a row lacks is an empty string. Tables with tabs are read without quoting: a quotation mark
    in a sentence of Common Voice opens nothing.

    Raises ``UndertoneError`` where the file is missing, is no UTF-8 text, or lacks a required column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            heading = file.readline()
            file.seek(0)
            if "\t" in heading:
                reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, restkey="", restval="")
            else:
                reader = csv.DictReader(file, restkey="", restval="")
            columns = {name.strip() for name in reader.fieldnames or ()}
            rows = [{name.strip(): cell.strip() for name, cell in row.items() if name} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{path} cannot be read as a table: {error}.",
            "Point to a text table in UTF-8 with a heading line.",
        ) from error
    missing = sorted(set(required) - columns)
    if missing:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{path} has no column {', '.join(missing)}.",
            f"Its heading line must name at least: {', '.join(sorted(required))}.",
        )
    return rows
