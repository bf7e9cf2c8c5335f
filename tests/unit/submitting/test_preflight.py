"""What a submission would cost is known before, without a connection or a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.submitting import inspect_contacts, inspect_files, inspect_jobs

PHONES = [{"phone": f"+4930123456{number}"} for number in range(4)]
JOBS = [{"reference_id": f"image-{number}", "data": {"image_url": "https://a.example/1.jpg"}} for number in range(3)]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*args: object) -> None:
        raise AssertionError("a request was sent")

    monkeypatch.setattr("socket.socket.connect", connect)


@pytest.mark.parametrize(("options", "calls"), [({}, 12), ({"max_attempts": 1}, 4), ({"max_attempts": 10}, 40)])
def test_contacts_cost_calls(options: dict[str, Any], calls: int) -> None:
    assert inspect_contacts(PHONES, **options) == {"items": 4, "calls_at_most": calls}


def test_contacts_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "contacts.csv").write_text("phone\n" + "".join(f"{row['phone']}\n" for row in PHONES))
    assert inspect_contacts(str(tmp_path / "contacts.csv"))["items"] == 4


def test_files_have_bytes(tmp_path: Path) -> None:
    for number in range(1, 4):
        (tmp_path / f"{number}.pdf").write_bytes(b"x" * number)
    assert inspect_files(str(tmp_path)) == {"items": 3, "bytes": 6}


@pytest.mark.parametrize("options", [{"job_type": "parse_v2"}, {"job_type": "extract_v2"}])
def test_the_limit_of_a_file_is_that_of_its_job_type(options: dict[str, str], tmp_path: Path) -> None:
    with (tmp_path / "large.pdf").open("wb") as large:
        large.truncate(101_000_000)
    if options["job_type"] == "parse_v2":
        assert inspect_files(str(tmp_path), **options)["items"] == 1
        return
    with pytest.raises(InvalidParameterError, match=r"1 files have more than the 100 MB that are extracted"):
        inspect_files(str(tmp_path), **options)


def test_jobs_are_counted() -> None:
    assert inspect_jobs(JOBS, work_flow_id="w") == {"items": 3}


def test_nothing_to_submit_costs_nothing() -> None:
    assert inspect_contacts([]) == {"items": 0, "calls_at_most": 0}
    assert inspect_files(iter([])) == {"items": 0, "bytes": 0}
    assert inspect_jobs([]) == {"items": 0}


@pytest.mark.parametrize(
    ("inspect", "expected"),
    [
        (lambda: inspect_contacts([*PHONES, PHONES[1]]), "1 of 5 contacts have the phone of one before them: rows 5"),
        (lambda: inspect_contacts([*PHONES, {"phone": "030 123"}]), "1 of 5 contacts have no phone in the form of"),
        (lambda: inspect_jobs(JOBS), "Row 1 of jobs: work_flow_id is missing"),
        (lambda: inspect_jobs([*JOBS, JOBS[0]], work_flow_id="w"), "Row 4 of jobs has the reference_id 'image-0'"),
        (lambda: inspect_files(["/no/such.pdf"]), "files: files are not there: 'file:///no/such.pdf'"),
    ],
)
def test_what_would_be_refused_fails_here(inspect: Any, expected: str) -> None:
    with pytest.raises(InvalidParameterError) as raised:
        inspect()
    assert expected in str(raised.value)
    assert "+49" not in str(raised.value)
