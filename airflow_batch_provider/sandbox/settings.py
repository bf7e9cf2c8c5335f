"""The settings of the sandbox."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

LastPage = Literal["absent", "null", "empty"]
LAST_PAGE_FORMS: tuple[str, ...] = get_args(LastPage)
FileFault = Literal["none", "cut", "no-range", "html", "length", "redirect"]
FILE_FAULTS: tuple[str, ...] = get_args(FileFault)
V1Results = Literal["v1", "v2", "neither"]
V1_RESULTS: tuple[str, ...] = get_args(V1Results)
RefuseCreates = Literal["none", "402", "409", "422", "429"]
REFUSE_CREATES: tuple[str, ...] = get_args(RefuseCreates)
DirectoryNames = Literal["unique", "any"]
DIRECTORY_NAMES: tuple[str, ...] = get_args(DirectoryNames)
MAX_JOBS = 1_000_000
MAX_FILES = 1000  # of a LlamaCloud batch, as documented
MAX_LARGE_BYTES = 1 << 40


@dataclass(frozen=True)
class Settings:
    """What the sandbox serves and how it behaves. Equal settings give equal ids and keys.

    :param jobs: the number of rows in each big listing (jobs of the Playment batch, LlamaCloud batches, LlamaCloud
        batch processing jobs, TalkifAI batch jobs).
    :param latency: the delay of each API answer in seconds.
    :param seed: decides keys, ids and which rows fail.
    :param failure_rate: the share of API requests, 0 to 1, that get a transient error.
    :param duration: seconds from the start of the sandbox until its last batch is finished.
    :param last_page: the value of ``next_page_token`` on the last page. Playment does not document it, and LlamaCloud
        documents an absent key; clients should accept all three.
    :param files: the number of files in LlamaCloud's biggest batches; the others have fewer.
    :param late: seconds from the end of a batch until its late results exist; ``math.inf`` for never.
    :param large_bytes: the size in bytes of the few large files: PDF, recording and video annotation.
    :param url_seconds: the seconds for which a signed URL is valid.
    :param url_uses: how often a signed URL can be used; 0 for any number.
    :param file_fault: the fault of the server of signed URLs. ``cut``: the first answer with a file is cut in the
        middle; ``no-range``: ``Range`` is ignored; ``html``: a page with status 200 instead of the file; ``length``:
        ``Content-Length`` is larger than the body; ``redirect``: to another signed URL.
    :param v1_results: the API that has the results of LlamaCloud's batch processing (v1 beta) items.
    :param run_seconds: the seconds that a submitted batch, or a Playment job, takes.
    :param lose_answers: the share of POST requests, 0 to 1, that take effect but whose answer is lost: the connection
        is closed, or the answer is HTTP 502 or 504.
    :param late_listing: the seconds after which a new batch, directory or job appears in its listing; its own address
        has it immediately.
    :param refuse_creates: how new batches (and Playment's jobs) are refused. ``402``, ``409`` and ``422``: always, in
        the vendor's form; Playment answers 400. ``429``: one of three creates, including directories and files, with
        ``Retry-After: 0``.
    :param directory_names: whether LlamaCloud refuses a second directory with the same name (``unique``) or not
        (``any``), which the vendor does not document.
    :raises ValueError: a value is out of its range; the message names it.
    """

    jobs: int = 350
    latency: float = 0.0
    seed: int = 1
    failure_rate: float = 0.0
    duration: float = 30.0
    last_page: LastPage = "absent"
    files: int = 40
    late: float = 2.0
    large_bytes: int = 1_000_000
    url_seconds: int = 60
    url_uses: int = 0
    file_fault: FileFault = "none"
    v1_results: V1Results = "v1"
    run_seconds: float = 5.0
    lose_answers: float = 0.0
    late_listing: float = 0.0
    refuse_creates: RefuseCreates = "none"
    directory_names: DirectoryNames = "unique"

    def __post_init__(self) -> None:
        for name, most in (("jobs", MAX_JOBS), ("files", MAX_FILES), ("large_bytes", MAX_LARGE_BYTES)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{_words(name)} must be from 0 to {most}, not {getattr(self, name)}")
        for name in ("failure_rate", "lose_answers"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{_words(name)} must be from 0 to 1, not {getattr(self, name)}")
        for name in ("latency", "duration", "run_seconds", "late_listing"):
            if not 0 <= getattr(self, name) < math.inf:
                value = getattr(self, name)
                raise ValueError(f"{_words(name)} must be a finite number of seconds, 0 or more, not {value}")
        for name in ("late", "url_seconds", "url_uses"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{_words(name)} must be 0 or more, not {getattr(self, name)}")
        forms = (
            *(("last_page", LAST_PAGE_FORMS), ("file_fault", FILE_FAULTS), ("v1_results", V1_RESULTS)),
            *(("refuse_creates", REFUSE_CREATES), ("directory_names", DIRECTORY_NAMES)),
        )
        for name, known in forms:
            if getattr(self, name) not in known:
                raise ValueError(f"{_words(name)} must be one of {', '.join(known)}, not {getattr(self, name)}")

    def next_page_token(self, token: str | None) -> dict[str, str | None]:
        """Give the ``next_page_token`` part of a page; no token: the last page."""
        if token is None and self.last_page == "absent":
            return {}
        return {"next_page_token": "" if token is None and self.last_page == "empty" else token}


def _words(name: str) -> str:
    return name.replace("_", " ")
