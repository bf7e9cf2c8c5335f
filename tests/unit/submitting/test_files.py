"""The files that a task submits: which are found, in which order, and what is refused before anything is sent."""

from __future__ import annotations

import hashlib
import logging
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem

from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.stores.object_store import ObjectStore
from airflow_batch_provider.submitting import files as module
from airflow_batch_provider.submitting.files import SourceFile, source_files
from airflow_batch_provider.submitting.sources import Sources, StoredFile

LIMITS = {"name": "files", "most": 5, "largest": 1000}


def files_of(files: Any, **options: Any) -> list[SourceFile]:
    return source_files(files, **{**LIMITS, **options})


def names_of(files: Any) -> list[str]:
    return [file.name for file in files_of(files)]


def error_of(files: Any, **options: Any) -> str:
    with pytest.raises(InvalidParameterError) as raised:
        files_of(files, **options)
    return str(raised.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files, and one below it."""
    folder = tmp_path / "my docs"
    for name in ("b.pdf", "a%20#?.pdf", "2026/x.pdf"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name}")
    return folder


def test_a_file_has_all_that_an_upload_needs(folder: Path) -> None:
    (file,) = files_of([folder / "b.pdf"])
    content = b"content of b.pdf"
    assert (file.uri, file.name, file.bytes) == (f"file://{folder}/b.pdf", "b.pdf", len(content))
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    for _ in range(2):
        with file.open() as opened:
            assert opened.read() == content


@pytest.mark.parametrize("as_what", ["uri", "path", "pathlib", "object"])
@pytest.mark.parametrize("is_alone", [True, False])
def test_a_file_may_be_named_in_several_ways(as_what: str, is_alone: bool, folder: Path) -> None:
    path = f"{folder}/a%20#?.pdf"
    named: Any = {
        "uri": f"file://{path}",
        "path": path,
        "pathlib": Path(path),
        "object": ObjectStoragePath(f"file://{folder}") / "a%20#?.pdf",
    }[as_what]
    (file,) = files_of(named if is_alone else [named])
    assert (file.uri, file.name) == (f"file://{path}", "a%20#?.pdf")


def test_a_uri_leads_to_the_same_file_when_it_is_passed_again(folder: Path) -> None:
    found = files_of(folder)
    again = files_of([file.uri for file in found])
    assert [(file.uri, file.sha256) for file in again] == [(file.uri, file.sha256) for file in found]


@pytest.mark.parametrize("form", ["{}", "{}/", "file://{}", " {} "])
def test_a_folder_gives_its_files_by_name(form: str, folder: Path) -> None:
    assert names_of(form.format(folder)) == ["2026/x.pdf", "a%20#?.pdf", "b.pdf"]


def test_a_folder_below_is_named_by_its_path(folder: Path) -> None:
    assert names_of(folder / "2026") == ["x.pdf"]


def test_files_stay_in_the_order_in_which_they_are_named(folder: Path) -> None:
    assert names_of([folder / "b.pdf", folder / "2026/x.pdf", folder / "a%20#?.pdf"]) == [
        "b.pdf",
        "x.pdf",
        "a%20#?.pdf",
    ]


@pytest.mark.parametrize("hidden", [".b.pdf", ".git/config", "2026/.DS_Store"])
def test_what_begins_with_a_dot_is_left_out_of_a_folder(
    hidden: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / hidden).parent.mkdir(exist_ok=True)
    (folder / hidden).touch()
    with caplog.at_level(logging.INFO, module.__name__):
        assert len(names_of(folder)) == 3
    assert caplog.messages == [f"Files of file://{folder} left out because their names begin with a dot: 1"]


def test_what_begins_with_a_dot_can_be_named(folder: Path) -> None:
    (folder / ".b.pdf").write_text("x")
    assert names_of([folder / ".b.pdf"]) == [".b.pdf"]


def test_files_with_the_same_content_are_all_submitted(folder: Path) -> None:
    (folder / "b.pdf").write_bytes((folder / "a%20#?.pdf").read_bytes())
    assert len({file.sha256 for file in files_of(folder)}) == 2
    assert len(files_of(folder)) == 3


def test_a_link_is_the_file_that_it_leads_to(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "b.pdf")
    assert [file.bytes for file in files_of(folder) if file.name == "link"] == [len("content of b.pdf")]


@pytest.mark.parametrize("target", ["empty", "large", "gone"])
def test_a_link_is_checked_as_the_file_that_it_leads_to(target: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(bytes(1001))
    (folder / "link").symlink_to(tmp_path / target)
    expected = {"empty": "files are empty: ", "large": "files are larger than ", "gone": "there is no file "}[target]
    said = error_of(folder)
    assert said.startswith(f"files: {expected}")
    assert f"{folder}/link'" in said


def test_as_many_and_as_large_as_allowed(folder: Path) -> None:
    (folder / "b.pdf").write_bytes(bytes(1000))
    assert len(files_of(folder, most=3)) == 3


CASES: dict[str, tuple[Any, str]] = {
    "none": ([], "files: there are no files to submit."),
    "empty folder": ("{}/empty", "files: 'file://{}/empty' is neither a file nor a folder with files."),
    "hidden only": ("{}/hidden", "files: 'file://{}/hidden' is neither a file nor a folder with files."),
    "no such place": ("{}/no", "files: 'file://{}/no' is neither a file nor a folder with files."),
    "missing": (["{}/1", "{}/no", "{}/no2"], "files: files are not there: 'file://{}/no', 'file://{}/no2'."),
    "folder": (
        ["{}/1", "{}/many"],
        "files: folders can be passed only alone, as files='file://{}/many', but these are among several paths: "
        "'file://{}/many'.",
    ),
    "twice": (["{}/1", "{}/2", "file://{}//1"], "files: files are named more than once: 'file://{}/1'."),
    "twice in other words": (["{}/1", "local://{}/1"], "files: files are named more than once: 'file://{}/1'."),
    "no bytes": (["{}/1", "{}/zero"], "files: files are empty: 'file://{}/zero'."),
    "too large": (
        ["{}/1", "{}/large"],
        "files: files are larger than 0.001 MB, the most that is accepted: 'file://{}/large'.",
    ),
    "too many": ("{}/many", "files: there are 7 files, but at most 5 can be submitted at once."),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_submitted_is_named_in_a_sentence(case: str, tmp_path: Path) -> None:
    for name in ("1", "2", "many/a", "many/b", "many/c", "many/d", "many/e", "many/f", "many/g", "hidden/.x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "zero").touch()
    (tmp_path / "large").write_bytes(bytes(1001))
    (tmp_path / "empty").mkdir()
    files, expected = CASES[case]
    filled = files.format(tmp_path) if isinstance(files, str) else [path.format(tmp_path) for path in files]
    assert error_of(filled) == expected.replace("{}", str(tmp_path))


def test_of_many_names_only_some_are_said(tmp_path: Path) -> None:
    said = error_of([f"{tmp_path}/{number}" for number in range(9)], most=9)
    assert said.endswith("/4' and 4 more.")


@pytest.mark.parametrize("files", [None, 5, [5], [None], ["/data/x", {"a": 1}], b"x"])
def test_what_is_no_list_of_paths_is_refused(files: Any) -> None:
    assert error_of(files) == "files must be a list of paths or URIs of files, or one of a folder."


@pytest.mark.parametrize("files", ["['/data/x']", ["['/data/x']"], '["/data/x"]', " ('/data/x',)"])
def test_a_rendered_list_gets_the_advice_that_helps(files: Any) -> None:
    assert "use render_template_as_native_obj=True in the DAG, or pass the .output" in error_of(files)


@pytest.mark.parametrize("path", ["s3://key:sesame@raw/x", "docs/x", "s3://missing@raw/x", "nowhere://raw/x", ""])
def test_a_path_that_cannot_be_opened_is_named_as_the_parameter(path: str) -> None:
    for files in (path, [path]):
        said = error_of(files)
        assert "files" in said
        assert "destination" not in said
        assert "sesame" not in said


def test_a_file_that_is_gone_when_it_is_uploaded_is_named(folder: Path) -> None:
    (file,) = files_of([folder / "b.pdf"])
    (folder / "b.pdf").unlink()
    with pytest.raises(InvalidParameterError, match=r"files: there is no file 'file://.*b\.pdf'"):
        file.open()


def test_a_file_is_hashed_in_constant_memory(tmp_path: Path) -> None:
    size = 64 << 20
    with open(tmp_path / "large", "wb") as large:
        large.truncate(size)
    files_of([tmp_path / "large"], largest=size)
    tracemalloc.start()
    try:
        assert files_of([tmp_path / "large"], largest=size)[0].bytes == size
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> MemoryFileSystem:
    """A bucket in memory that every object store's URI leads to."""
    fs = MemoryFileSystem()
    fs.store.clear()

    def find(self: Sources, source: Any) -> StoredFile:
        store = self._stores.setdefault("raw", ObjectStore(fs, "/raw", "s3://store@raw", "store"))
        return StoredFile(store, str(source).removeprefix("s3://store@raw").removeprefix("/"))

    monkeypatch.setattr(Sources, "find", find)
    return fs


def test_a_folder_of_an_object_store_gives_its_files_by_name(bucket: MemoryFileSystem) -> None:
    for name in ("docs/b", "docs/a", "docs/2026/x", "docs2/y", "docs/.keep"):
        bucket.pipe_file(f"/raw/{name}", name.encode())
    found = files_of("s3://store@raw/docs")
    assert [(file.name, file.uri) for file in found] == [
        (name, f"s3://store@raw/docs/{name}") for name in ("2026/x", "a", "b")
    ]


def test_a_whole_bucket_is_a_folder(bucket: MemoryFileSystem) -> None:
    bucket.pipe_file("/raw/docs/a", b"1")
    (file,) = files_of("s3://store@raw")
    assert (file.name, file.uri) == ("docs/a", "s3://store@raw/docs/a")


def test_an_object_whose_name_is_also_a_folder_is_the_object(bucket: MemoryFileSystem) -> None:
    bucket.pipe_file("/raw/docs", b"1")
    assert names_of("s3://store@raw/docs") == ["docs"]
