"""Checks the links of built pages: files and anchors must be there; what leads elsewhere must be well-formed https.

``python docs/check_links.py docs/_build/html`` says everything that is wrong, and fails if anything is.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

HARMLESS = {"mailto", "data"}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            if name in {"href", "src"} and value:
                self.links.append(value)


def findings(folder: Path) -> list[str]:
    """Return what is wrong with the links of all pages.

    :param folder: where the pages were built to
    """
    pages = {path.resolve(): _read(path) for path in sorted(folder.rglob("*.html"))}
    if not pages:
        return [f"{folder} holds no pages"]
    found = []
    for path, page in pages.items():
        for link in page.links:
            wrong = _wrong(link, path, pages)
            if wrong:
                found.append(f"{path.relative_to(folder.resolve())}: {link} {wrong}")
    return found


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _wrong(link: str, path: Path, pages: dict[Path, _Page]) -> str | None:
    try:
        parts = urlsplit(link)
    except ValueError:
        return "is no URL"
    if parts.scheme in HARMLESS:
        return None
    if parts.scheme or parts.netloc:
        return None if parts.scheme == "https" and "." in (parts.hostname or "") else "is not https"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return "leads to no file"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return "leads to no such anchor"
    return None


if __name__ == "__main__":
    wrong = findings(Path(sys.argv[1]))
    print("\n".join(wrong) or "Every link leads somewhere.")  # noqa: T201
    sys.exit(bool(wrong))
