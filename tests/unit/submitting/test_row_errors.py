"""What is said of rows that cannot be submitted: which they are and why, and nothing of what they contain."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pytest
import zstandard

from airflow_batch_provider import libraries
from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.submitting.row_files import LONGEST_LINE, BadRow, ReadRows, csv_rows, json_rows
from airflow_batch_provider.submitting.rows import Rows

SECRET = "sesame"
CSV = b"phone,name\n007,x\n"
GOOD = b'{"a": "sesame"}\n'


def error_of(source: Any) -> str:
    with pytest.raises(InvalidParameterError) as raised:
        list(Rows(source, name="contacts"))
    return str(raised.value)


def file(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("rows.jsonl", GOOD + b'["sesame"]\n', "row 2 of {} is no JSON object; each line must be one"),
        ("rows.jsonl", GOOD + b"\n" + b'{"a": "sesame}', "row 2 of {} is no JSON object; each line must be one"),
        ("rows.jsonl", b'{"a": NaN, "b": "sesame"}', "row 1 of {} is no JSON object; each line must be one"),
        ("rows.jsonl", b"[\n" + GOOD + b"]\n", "row 1 of {} is no JSON object; each line must be one"),
        ("rows.jsonl", b'{"a": ' + b"[" * 200_000, "row 1 of {} is nested too deeply"),
        ("rows.jsonl", GOOD + b'{"a": "\xe4 sesame"}', "row 2 of {} is not UTF-8; save the file in that encoding"),
        ("rows.csv", b"\xff\xfep\x00", "row 1 of {} is not UTF-8; save the file in that encoding"),
        ("rows.csv", b"a,b\nsesame,2\nsesame\n", "row 2 of {} has 1 fields, but the header has 2"),
        ("rows.csv", b"a,b\nsesame,2,3\n", "row 1 of {} has 3 fields, but the header has 2"),
        ("rows.csv", b'a,b\nsesame,"2\n', "row 1 of {} is not CSV: unexpected end of data"),
        ("rows.csv", b'a,b\n1,2\n"sesame"x,2\n', "row 2 of {} is not CSV: ',' expected after '\"'"),
        ("rows.csv", b"a\n" + b"x" * (17 << 20), "row 1 of {} has a line of more than 16 MiB"),
        ("rows.csv", b"", "the header of {} is missing; the first line of a CSV file names its columns"),
        ("rows.csv", b"sesame,x,sesame\n", "the header of {} has the same name for columns 1 and 3"),
        ("rows.csv", b"a, ,sesame\n", "the header of {} has no name for column 2"),
        ("rows.csv", b"sesame;b\n1;2\n", "the header of {} has a single column; separate the columns by commas"),
    ],
    ids=range(16),
)
def test_an_error_names_the_file_and_the_row_and_nothing_of_what_it_contains(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    path = file(tmp_path, name, content)
    said = error_of(path)
    assert said == f"contacts: {reason.format(path.as_uri())}."
    assert SECRET not in said


class Endless(io.RawIOBase):
    """A file without a line's end, which counts what is read of it."""

    read_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        buffer[:] = b"x" * len(buffer)
        self.read_bytes += len(buffer)
        return len(buffer)


@pytest.mark.parametrize("read", [json_rows, csv_rows])
def test_no_more_is_read_of_a_line_than_a_row_may_have(read: ReadRows) -> None:
    endless = Endless()
    with pytest.raises(BadRow, match="has a line of more than 16 MiB"):
        next(read(io.BufferedReader(endless)))
    assert endless.read_bytes < 2 * LONGEST_LINE


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl.gz", gzip.compress(GOOD * 999)[:-9]),
        ("rows.jsonl.gz", GOOD),
        ("rows.jsonl.zst", zstandard.compress(GOOD * 999)[:-1]),
        ("rows.jsonl.zst", zstandard.compress(GOOD) + zstandard.compress(GOOD)[:-1]),
        ("rows.jsonl.zst", GOOD),
    ],
    ids=["gzip cut", "no gzip", "zstd cut", "second frame cut", "no zstd"],
)
def test_a_compressed_file_that_was_cut_is_an_error_not_a_shorter_file(
    name: str, content: bytes, tmp_path: Path
) -> None:
    assert " of file:///" in (said := error_of(file(tmp_path, name, content)))
    assert " cannot be read: " in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "source",
    [{"phone": SECRET}, SECRET.encode(), None, 5, SECRET, "None", "", f"phone\n{SECRET}", "/data/sesame.xlsx", "/x.gz"],
)
def test_what_is_neither_rows_nor_a_file_of_them_is_refused(source: Any) -> None:
    said = error_of(source)
    assert said.startswith("contacts must be a list of mappings, or ")
    assert SECRET not in said


@pytest.mark.parametrize("source", [["sesame"], [{1: "sesame"}], [None]])
def test_an_element_that_is_no_mapping_is_refused(source: Any) -> None:
    assert error_of([{"a": 1}, *source]) == "contacts: row 2 is no mapping with text as keys."


@pytest.mark.parametrize(
    "source", ["[{'phone': 'sesame'}]", ' [\n{"phone": "sesame"}]', '{"phone": "sesame.csv"}', "('sesame',)"]
)
def test_a_rendered_list_gets_the_advice_that_helps(source: str) -> None:
    said = error_of(source)
    assert "use render_template_as_native_obj=True in the DAG, or pass the .output" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/no/such/rows.csv", "contacts: there is no file 'file:///no/such/rows.csv'."),
        ("/rows.csv", "contacts: there is no file 'file:///rows.csv'."),
        ("s3://rows.csv", "contacts: there is no file 's3://rows.csv'."),
        ("s3://missing@raw/rows.csv", "There is no connection 'missing' for contacts 's3://missing@raw'."),
        ("s3://key:sesame@raw/rows.csv", "contacts contains credentials"),
        ("rows.csv", "contacts='rows.csv' is neither a URI such as"),
        # Airflow 3.1 notices an unknown scheme only when it opens the store.
        (
            "nowhere://raw/rows.csv",
            ("Cannot open contacts 'nowhere://raw': ", "Cannot log in at contacts 'nowhere://raw': "),
        ),
        ("/data/ro\nws.csv", "contacts has the control character"),
    ],
)
def test_a_file_that_cannot_be_found_is_named_as_the_parameter(source: str, expected: str | tuple[str, str]) -> None:
    said = error_of(source)
    assert said.startswith(expected)
    assert "destination" not in said
    assert SECRET not in said


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").mkdir()
    said = error_of(tmp_path / "rows.csv")
    assert "rows.csv" in said
    assert "contacts" in said


def test_a_file_that_may_not_be_read_says_what_rights_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file(tmp_path, "rows.csv", CSV)

    def refuse(self: Any, *args: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("airflow_batch_provider.stores.local._Reader.__init__", refuse)
    said = error_of(path)
    assert said.startswith(f"Cannot read rows.csv at contacts '{tmp_path.as_uri()}': PermissionError")
    assert "the worker's user must list and read there." in said


def test_zstandard_needs_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(tmp_path, "rows.csv.zst", zstandard.compress(CSV))
    monkeypatch.setattr(libraries, "is_installed", lambda name: False)
    assert "contacts with a .zst file needs zstandard; install it with" in error_of(path)
