"""The guide quotes the examples as they are, and names what there is."""

from __future__ import annotations

import re

import pytest

from airflow_batch_provider import vendor_kit as kit
from tests.examples.cases import CASES, EXAMPLES, ROOT

GUIDE = (ROOT / "docs/add-a-vendor.md").read_text()
QUOTED = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
CONTRACT = ROOT / "tests/examples/test_openai_contract.py"
SOURCES = {
    path.relative_to(ROOT): path.read_text()
    for case in CASES.values()
    for path in [*(EXAMPLES / case.name / case.name).glob("*.py"), EXAMPLES / case.name / "pyproject.toml", CONTRACT]
}


@pytest.mark.parametrize("quoted", [code for _, code in QUOTED], ids=range(len(QUOTED)))
def test_every_piece_of_code_stands_in_a_file(quoted: str) -> None:
    assert any(quoted in source for source in SOURCES.values())


def test_the_first_example_is_quoted_whole() -> None:
    quoted = [code for _, code in QUOTED]
    for name in ("provider_info.py", "batches.py"):
        left = next(source for path, source in SOURCES.items() if path.match(f"openai_batches/openai_batches/{name}"))
        for code in quoted:
            left = left.replace(code, "")
        assert not left.strip()
    assert CONTRACT.read_text() in quoted


def test_names_of_the_kit_are_names_of_the_kit() -> None:
    named = {*re.findall(r"`kit\.(\w+)", GUIDE)}
    assert named
    assert named <= {*kit.__all__}


def test_every_name_of_the_kit_is_explained() -> None:
    words = {*re.findall(r"\w+", GUIDE)}
    assert {*kit.__all__} - words == set()


def test_it_names_files_and_tables_that_there_are() -> None:
    for first, second, _ in re.findall(r"^\| (`[^|]+) \| ([^|]+) \| ?([^|]*)\|?$", GUIDE, re.MULTILINE):
        for name in re.findall(r"`([^`]+\.(?:py|md))`", first):
            name = name.replace("acme_*", "talkifai_batch_jobs").replace("acme", "talkifai")
            places = [folder / name for folder in (ROOT, ROOT / "airflow_batch_provider")]
            (path,) = {place for place in places if place.exists()}
            text = path.read_text()
            for constant in re.findall(r"`([A-Z_]+)`", second):
                assert re.search(rf"^{constant}\b", text, re.MULTILINE), (name, constant)
