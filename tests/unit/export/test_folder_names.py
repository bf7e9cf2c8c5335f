"""Folder names made of ids: readable if they can be, different for different ids wherever they lie."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_batch_provider.export.folder_names import LONGEST_NAME, folder_name
from airflow_batch_provider.export.manifest import FILE_FOLDER, MANIFEST_NAME, PART_NAME

IDS = st.one_of(
    st.text(max_size=300),
    st.text(alphabet="abAB01._-/ é\u0301", max_size=8),
    st.text(alphabet=st.characters(categories=["Cs", "Ll", "Nd"]), max_size=8),
    st.from_regex(r"[a-z0-9_.-]{1,120}", fullmatch=True),
    st.text(max_size=5).map(folder_name),
)


@pytest.mark.parametrize(
    "plain", ["bat-1a2b", "3f9c2a1b-77d0-4b1e-9a55-0c2f6f1e2d3c", "batch_7", "v1.2", "a", "0", "x" * LONGEST_NAME]
)
def test_a_plain_id_stays_as_it_is(plain: str) -> None:
    assert folder_name(plain) == plain


@pytest.mark.parametrize(
    ("identifier", "beginning"),
    [
        ("Batch 7", "batch-7."),
        ("a/b", "a-b."),
        ("../../etc", "etc."),
        ("..", "id."),
        ("", "id."),
        (".hidden", "hidden."),
        ("_staging", "staging."),
        ("_MANIFEST.json", "manifest.json."),
        ("_index", "index."),
        ("files", "files."),
        ("part-00000-3f9c2a1b77d0.jsonl", "id-part-00000-3f9c2a1b77d0.jsonl."),
        ("語", "id."),
        ("café", "caf."),
        ("end.", "end."),
        ("a..b", "a-b."),
        ("x" * (LONGEST_NAME + 1), "x" * 60 + "."),
        ("İ" * 60, "i-"),
    ],
)
def test_any_other_id_gets_a_readable_beginning_and_a_digest(identifier: str, beginning: str) -> None:
    name = folder_name(identifier)
    assert name.startswith(beginning)
    assert re.fullmatch(r"\.[0-9a-f]{32}", name[-33:])


@given(IDS)
def test_a_name_is_short_and_safe_and_none_of_ours(identifier: str) -> None:
    name = folder_name(identifier)
    assert re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name)
    assert not name.endswith(".")
    assert ".." not in name
    assert len(name) <= LONGEST_NAME
    assert name not in {MANIFEST_NAME, "_staging", "_index", "files"}
    assert not PART_NAME.fullmatch(name)
    assert not FILE_FOLDER.match(f"files/{name}") or name != "files"


@given(IDS, IDS)
@example("abc", "ABC")
@example("é", "e\u0301")
@example("Batch 7", folder_name("Batch 7"))
@example("x" * 101, "x" * 102)
def test_different_ids_have_names_that_differ_wherever_they_lie(one: str, other: str) -> None:
    def on_a_forgetful_disk(name: str) -> str:
        return unicodedata.normalize("NFKD", name).casefold()

    same = on_a_forgetful_disk(folder_name(one)) == on_a_forgetful_disk(folder_name(other))
    assert same == (one == other)


@given(IDS)
def test_a_name_that_was_made_is_not_the_name_of_another_id(identifier: str) -> None:
    name = folder_name(identifier)
    assert (folder_name(name) == name) == (name == identifier)
