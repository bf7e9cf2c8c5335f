"""The lines of docs/reading.md, "Read it with", run as they stand there: each engine reads what was exported."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.apis.columns import FLOAT, JSON, TEXT, TIMESTAMP, columns, result_columns, struct
from airflow_batch_provider.export import export_uris, read_table
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.formats.registry import FORMATS
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
from airflow_batch_provider.sandbox import Settings
from airflow_batch_provider.testing import sandbox
from airflow_batch_provider.vendors import talkifai

PAGE = (Path(__file__).parents[2] / "docs" / "reading.md").read_text()
SECTION = PAGE[PAGE.index("## Read it with") : PAGE.index("## Load it into a warehouse")]
FORMAT_OF = {"Parquet": "parquet", "CSV": "csv", "JSON lines": "jsonl"}
MODULES = {"DuckDB": "duckdb", "pandas": "pandas", "Polars": "polars", "pyarrow": "pyarrow", "Spark": "pyspark.sql"}
COLUMNS = [*(column.name for column in talkifai.BATCH_JOBS.columns), "_extra"]


def lines() -> Iterator[tuple[str, str, str]]:
    """Give the lines of the table: engine, format and code."""
    head, _, *rows = [line for line in SECTION.splitlines() if line.startswith("|")]
    _, *formats = cells(head)
    for row in rows:
        engine, *codes = cells(row)
        for name, code in zip(formats, codes, strict=True):
            yield engine, FORMAT_OF[name], code.strip("`")


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_page_has_a_line_for_each_engine_and_format() -> None:
    assert {(engine, name) for engine, name, _ in lines()} == {(e, f) for e in MODULES for f in FORMATS}


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")
    builder = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    local = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    session = builder.config(map=local).getOrCreate()
    yield session
    session.stop()


def read(engine: str, code: str, folder: Path, request: pytest.FixtureRequest) -> tuple[list[str], list[str]]:
    """Run a line and return the columns and the ids that it gives."""
    values: dict[str, Any] = {"destination": str(folder), "uris": export_uris(str(folder)), "read_table": read_table}
    if engine == "Spark":
        values["spark"] = request.getfixturevalue("spark")
    else:
        values[MODULES[engine]] = pytest.importorskip(MODULES[engine])
    found = eval(code, values)  # noqa: S307 (the page is ours)
    names = found.column_names if engine == "pyarrow" else found.columns
    ids = {
        "DuckDB": lambda: [row[0] for row in found.select("id").fetchall()],
        "pandas": lambda: found["id"].tolist(),
        "Polars": lambda: found["id"].to_list(),
        "pyarrow": lambda: found["id"].to_pylist(),
        "Spark": lambda: sorted(row[0] for row in found.select("id").collect()),
    }[engine]()
    return list(names), ids


def export(folder: Path, file_format: str) -> None:
    task = TalkifAIExportBatchJobsOperator(
        task_id="t", destination=str(folder), file_format=file_format, rows_per_part=10, page_size=10
    )
    task.execute({})


@pytest.mark.parametrize(("engine", "file_format", "code"), list(lines()))
def test_an_engine_reads_all_rows_of_an_export(
    engine: str, file_format: str, code: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with sandbox(Settings(jobs=25)):
        expected = [row["id"] for row in TalkifAIHook().iter_batch_jobs()]
        export(tmp_path / "a b", file_format)
    names, ids = read(engine, code, tmp_path / "a b", request)
    assert ids == (sorted(expected) if engine == "Spark" else expected)
    if file_format != "jsonl" or engine == "pyarrow":
        assert names == COLUMNS


@pytest.mark.parametrize(
    ("engine", "file_format", "code"), [line for line in lines() if line[1] != "jsonl" or line[0] == "pyarrow"]
)
def test_an_engine_finds_the_columns_of_an_export_without_rows(
    engine: str, file_format: str, code: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with sandbox(Settings(jobs=0)):
        export(tmp_path, file_format)
    assert read(engine, code, tmp_path, request) == (COLUMNS, [])


RESULTS = result_columns(
    columns(id=TEXT, created_at=TIMESTAMP), struct(usage=struct(credits=FLOAT), extract_result=JSON)
)
RESULT_LINES = [
    b'{"id": "a", "item": {"id": "a", "created_at": "2026-01-31T12:30:05Z", "new": 1},'
    b' "result": {"usage": {"credits": 1.5}, "extract_result": {"total": 9007199254740993}},'
    b' "files": [{"kind": "markdown", "bytes": 8123}]}',
    b'{"id": "b", "item": {"id": "b"}, "result": null, "files": []}',
]
MOMENT = datetime(2026, 1, 31, 12, 30, 5, tzinfo=UTC)


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    def write(name: str) -> str:
        encoder = Format(name, FORMATS[name].compressions[-1], RESULTS).new_part()
        path = tmp_path / f"part.{name}"
        path.write_bytes(encoder.add(RESULT_LINES) + encoder.finish())
        return str(path)

    return write


def test_duckdb_finds_the_fields_of_results(results: Callable[[str], str]) -> None:
    duckdb = pytest.importorskip("duckdb")
    duckdb.sql("SET TimeZone = 'UTC'")
    found = duckdb.read_parquet(results("parquet")).query(
        "results",
        "SELECT item.id, epoch_us(item.created_at), result.usage.credits, files[1].bytes, result.extract_result,"
        " CAST(CAST(result.extract_result AS JSON) ->> 'total' AS BIGINT), _extra FROM results",
    )
    text = '{"total": 9007199254740993}'
    assert found.fetchall() == [
        ("a", int(MOMENT.timestamp()) * 1_000_000, 1.5, 8123, text, 9007199254740993, '{"item":{"new":1}}'),
        ("b", *[None] * 6),
    ]
    found = duckdb.read_csv(results("csv"), header=True, all_varchar=True).query(
        "results", "SELECT item ->> 'id', CAST(result ->> '$.extract_result.total' AS BIGINT) FROM results"
    )
    assert found.fetchall() == [("a", 9007199254740993), ("b", None)]


def test_polars_finds_the_fields_of_results(results: Callable[[str], str]) -> None:
    polars = pytest.importorskip("polars")
    table = polars.read_parquet(results("parquet"))
    result = table["result"].struct
    assert table["item"].struct.field("created_at").to_list() == [MOMENT, None]
    assert result.field("usage").struct.field("credits").to_list() == [1.5, None]
    decoded = result.field("extract_result").str.json_decode(polars.Struct({"total": polars.Int64}))
    assert decoded.to_list() == [{"total": 9007199254740993}, None]
    assert table["files"].list.len().to_list() == [1, 0]


def test_pandas_finds_the_fields_of_results(results: Callable[[str], str]) -> None:
    pandas = pytest.importorskip("pandas")
    first, second = pandas.read_parquet(results("parquet")).to_dict("records")
    assert json.loads(first["result"]["extract_result"]) == {"total": 9007199254740993}
    assert first["item"]["created_at"] == MOMENT
    assert second["result"] is None


def test_the_page_names_the_versions_that_are_tested() -> None:
    said = dict(re.findall(r"(DuckDB|pandas|Polars|pyarrow) (\d+(?:\.\d+)?)", SECTION))
    assert said.keys() == {"DuckDB", "pandas", "Polars", "pyarrow"}
    for engine, version in said.items():
        module = pytest.importorskip(MODULES[engine])
        assert f"{module.__version__}.".startswith(f"{version}."), engine
