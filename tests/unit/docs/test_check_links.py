"""Links of the built documentation that lead nowhere are found."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

findings = runpy.run_path(str(Path(__file__).parents[3] / "docs" / "check_links.py"))["findings"]


def page(folder: Path, name: str, body: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(f"<html><body>{body}</body></html>")


@pytest.mark.parametrize(
    "link",
    ["b/other.html", "b/other.html#here", "#top", "https://example.org/x#y", "mailto:a@example.org", "a%20b.txt"],
)
def test_a_link_that_leads_somewhere_is_fine(link: str, tmp_path: Path) -> None:
    page(tmp_path, "index.html", f"<h1 id='top'>A</h1><a href='{link}'>x</a>")
    page(tmp_path, "b/other.html", "<p id='here'>B</p><a href='../index.html#top'>back</a>")
    (tmp_path / "a b.txt").write_text("text")
    assert findings(tmp_path) == []


@pytest.mark.parametrize(
    ("link", "wrong"),
    [
        ("missing.html", "leads to no file"),
        ("b", "leads to no file"),
        ("#missing", "leads to no such anchor"),
        ("b/other.html#missing", "leads to no such anchor"),
        ("http://example.org", "is not https"),
        ("https://nohost", "is not https"),
        ("https://[x", "is no URL"),
    ],
)
def test_a_link_that_leads_nowhere_is_named_with_its_page(link: str, wrong: str, tmp_path: Path) -> None:
    page(tmp_path, "index.html", f"<img src='{link}'>")
    page(tmp_path, "b/other.html", "")
    assert findings(tmp_path) == [f"index.html: {link} {wrong}"]


def test_a_folder_without_pages_is_no_documentation(tmp_path: Path) -> None:
    assert findings(tmp_path) == [f"{tmp_path} holds no pages"]
