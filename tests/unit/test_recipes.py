"""The recipes of CONTRIBUTING.md work: each thing is added as its recipe says, and nothing else is changed for it."""

from __future__ import annotations

import bz2
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.apis.extra import COMMON_EXTRAS, Extra
from airflow_batch_provider.apis.page import Row, Rows
from airflow_batch_provider.apis.shown import harmless
from airflow_batch_provider.client import settings
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.exceptions import ConnectionSettingsError, ExportDamagedError, InvalidParameterError
from airflow_batch_provider.export import read_export, verify_export
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.formats.compression import COMPRESSIONS, Compression
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.formats.registry import FORMATS, FileFormat
from airflow_batch_provider.get_provider_info import get_provider_info as our_provider_info
from airflow_batch_provider.libraries import Library
from airflow_batch_provider.listing.pages import NewRows
from airflow_batch_provider.operators.export import ExportOperator
from airflow_batch_provider.vendors import talkifai
from tests.fourth_vendor.operators import AcmeHook
from tests.fourth_vendor.provider_info import get_provider_info
from tests.fourth_vendor.server import Acme, connection, serving
from tests.unit.export.exported import TASK_RUN, export, left_over, local, manifest_of
from tests.unit.formats import tsv
from tests.unit.formats.rows import encode

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
COLUMNS = talkifai.BATCH_JOBS.columns


@pytest.fixture
def acme() -> Iterator[Acme]:
    with serving() as running:
        yield running


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a format and a compression, by one entry each."""
    monkeypatch.setitem(FORMATS, "tsv", FileFormat(module=lambda: tsv))
    monkeypatch.setitem(COMPRESSIONS, "bzip2", Compression(".bz2", bz2.BZ2Compressor, bz2.open))


def export_rows(folder: Path, name: str, compression: str | None, count: int) -> None:
    rows = [Row(str(number), "done", json.dumps({"id": str(number)}).encode()) for number in range(count)]
    spec = ExportSpec(
        show=harmless,
        listing="talkifai.batch_jobs",
        params={"count": count},
        file_format=Format(name, compression, COLUMNS),
        rows_per_part=100,
        task_run=TASK_RUN,
    )
    export([NewRows(Rows.of(rows), 0, None)], local(folder), spec)


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(
    ("name", "compression", "ending"),
    [
        ("tsv", "gzip", ".tsv.gz"),
        ("tsv", None, ".tsv"),
        ("tsv", "bzip2", ".tsv.bz2"),
        ("jsonl", "bzip2", ".jsonl.bz2"),
        ("csv", "bzip2", ".csv.bz2"),
    ],
)
def test_what_was_added_is_exported_verified_read_back_and_replaced(
    name: str, compression: str | None, ending: str, tmp_path: Path
) -> None:
    for count in (250, 120):
        export_rows(tmp_path, name, compression, count)
        assert verify_export(str(tmp_path)).rows == count
        assert [row["id"] for row in read_export(str(tmp_path))] == [str(number) for number in range(count)]
        assert all(part["path"].endswith(ending) for part in manifest_of(tmp_path)["parts"])
    assert not left_over(tmp_path)


@pytest.mark.usefixtures("added")
def test_a_part_of_another_export_is_found_whatever_its_ending(tmp_path: Path) -> None:
    export_rows(tmp_path, "jsonl", "bzip2", 5)
    (tmp_path / "part-00007-0123456789ab.jsonl.bz2").touch()
    with pytest.raises(ExportDamagedError, match=r"part-00007-0123456789ab\.jsonl\.bz2 is beside the parts"):
        verify_export(str(tmp_path))


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize("name", ["tsv", "jsonl", "csv"])
def test_a_compression_that_was_added_is_allowed_for_every_format_that_takes_any(name: str) -> None:
    with pytest.raises(InvalidParameterError, match="'default', 'gzip', 'zstd', None, 'bzip2'"):
        Format(name, "lz4", COLUMNS)
    with pytest.raises(InvalidParameterError, match=r"one of 'default', 'zstd'\."):
        Format("parquet", "bzip2", COLUMNS)


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(("name", "value"), [("tsv", "file_format='tsv'"), ("jsonl", "compression='bzip2'")])
def test_a_library_that_is_missing_is_named_with_its_extra(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library("no_such_library", "more")
    monkeypatch.setitem(FORMATS, "tsv", FileFormat(module=lambda: tsv, library=library))
    monkeypatch.setitem(COMPRESSIONS, "bzip2", Compression(".bz2", bz2.BZ2Compressor, bz2.open, library))
    with pytest.raises(
        InvalidParameterError, match=rf"^{value} needs no_such_library; .*airflow-batch-provider\[more\]"
    ):
        Format(name, "bzip2")


@pytest.mark.usefixtures("added")
def test_a_format_with_columns_has_an_identity_of_its_columns() -> None:
    assert Format("tsv", None, COLUMNS).identity != Format("tsv", None, COLUMNS[:1]).identity
    content = encode(Format("tsv", None, COLUMNS[:1]), [b'{"id": "a", "new": 1}'])
    assert content == b'id\t_extra\n"a"\t{"new":1}\n'


def test_operators_allow_what_is_registered() -> None:
    domains = ExportOperator.domains()
    assert all(domains["file_format"].encode(name) for name in FORMATS)
    assert all(domains["compression"].encode(name) is not None for name in ("default", *COMPRESSIONS))


EXPORT = """
import bz2, json, sys
from airflow_batch_provider.formats.compression import COMPRESSIONS, Compression
COMPRESSIONS["bzip2"] = Compression(".bz2", bz2.BZ2Compressor, bz2.open)
from airflow_batch_provider.formats.registry import FORMATS, FileFormat
def load_tsv():
    from tests.unit.formats import tsv
    return tsv
FORMATS["tsv"] = FileFormat(module=load_tsv)
from tests.fourth_vendor.operators import AcmeExportJobsOperator
assert "tests.unit.formats.tsv" not in sys.modules
AcmeExportJobsOperator(task_id="t", destination=sys.argv[1], file_format="tsv", compression="bzip2").execute({})
"""


@pytest.mark.usefixtures("added")
def test_an_operator_exports_what_was_added(acme: Acme, tmp_path: Path) -> None:
    """In a process of its own, because the values that operators allow are derived when they are imported."""
    subprocess.run([sys.executable, "-c", EXPORT, tmp_path.as_uri()], cwd=ROOT, check=True, capture_output=True)
    assert verify_export(str(tmp_path)).format == "tsv"
    rows = list(read_export(str(tmp_path)))
    assert [{name: row[name] for name in ("id", "minutes")} for row in rows] == [
        {name: job[name] for name in ("id", "minutes")} for job in acme.jobs.values()
    ]
    assert rows[0]["_extra"] == {"speakers": ["a"]}


@pytest.fixture
def idle_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add an extra of every connection: a line in the table, and a field of the settings."""

    @dataclass(frozen=True, kw_only=True)
    class WithIdleTimeout(Settings):
        idle_timeout: float = 30.0  # COMMON_EXTRAS["idle_timeout"].default

    monkeypatch.setattr(settings, "Settings", WithIdleTimeout)
    extra = Extra("Idle timeout", "Seconds; {default} if empty.", "number", minimum=1, maximum=600, default=30.0)
    monkeypatch.setitem(COMMON_EXTRAS, "idle_timeout", extra)


def connect(acme: Acme, monkeypatch: pytest.MonkeyPatch, **extras: Any) -> Any:
    """Return the settings of a connection with these extras."""
    monkeypatch.setenv("AIRFLOW_CONN_ACME_DEFAULT", connection(acme.server.url, team_id="t/1", **extras))
    return AcmeHook().get_conn().settings


@pytest.mark.usefixtures("idle_timeout")
def test_an_extra_that_was_added_is_in_the_settings(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect(acme, monkeypatch).idle_timeout == 30
    assert connect(acme, monkeypatch, idle_timeout="").idle_timeout == 30
    assert connect(acme, monkeypatch, idle_timeout="2.5").idle_timeout == 2.5


@pytest.mark.usefixtures("idle_timeout")
@pytest.mark.parametrize("value", [0, 601, "soon"])
def test_an_extra_that_was_added_is_checked(value: object, acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionSettingsError, match=r"'idle_timeout' of .* allowed is a number from 1 to 600\."):
        connect(acme, monkeypatch, idle_timeout=value)


@pytest.mark.usefixtures("idle_timeout")
def test_an_extra_that_was_added_is_in_every_form() -> None:
    forms = [*our_provider_info()["connection-types"], *get_provider_info()["connection-types"]]
    schema = {"type": ["number", "null"], "minimum": 1, "maximum": 600}
    fields = [form["conn-fields"]["idle_timeout"] for form in forms]
    assert [field["schema"] for field in fields] == [schema] * 4
    assert {field["description"] for field in fields} == {"Seconds; 30.0 if empty."}


def test_an_extra_without_a_setting_is_a_clear_error(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMON_EXTRAS, "idle_timeout", Extra("Idle timeout", "Seconds.", "number"))
    with pytest.raises(ConnectionSettingsError, match=r"'idle_timeout' .* but client/settings.py has no field for it"):
        connect(acme, monkeypatch, idle_timeout=5)


def test_the_recipes_name_files_and_tables_that_there_are() -> None:
    recipes = CONTRIBUTING[CONTRIBUTING.index("## Where a new thing goes") : CONTRIBUTING.index("## Tests")]
    named = re.findall(r"`([\w<>-]+(?:[/.][\w<>-]+)*(?:/|\.py|\.md|\.toml))(?::(\w+))?`", recipes)
    assert len(named) > 25
    for path, table in named:
        name = path.replace("<vendor>", "talkifai")
        found = [folder / name for folder in (ROOT, ROOT / "airflow_batch_provider") if (folder / name).exists()]
        assert found, path
        assert not table or re.search(rf"^(?:class )?{table}\b", found[0].read_text(), re.MULTILINE), (path, table)
