"""What can be chosen when the sandbox starts."""

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
    """What the sandbox serves and how it behaves; equal settings serve equal ids and keys.

    :param jobs: rows in each big listing (jobs of the Playment batch, LlamaCloud batches, LlamaCloud batch
        processing jobs, TalkifAI batch jobs).
    :param latency: seconds by which each API answer is delayed.
    :param seed: chooses keys, ids and which rows fail.
    :param failure_rate: share of API requests answered with a transient fault, 0 to 1.
    :param duration: seconds from the start of the sandbox until its last batch is finished.
    :param last_page: what stands for "no more pages" in ``next_page_token``. Playment does not document it,
        LlamaCloud documents an absent key; clients had better take all three.
    :param files: files of LlamaCloud's biggest batches; the others have fewer.
    :param late: seconds from the end of a batch until its late results exist; ``math.inf``: never.
    :param large_bytes: size of the few large files: PDF, recording and video annotation.
    :param url_seconds: how long a signed URL is valid.
    :param url_uses: how often a signed URL can be used; 0: as often as you like.
    :param file_fault: what goes wrong at the origin of signed URLs. ``cut``: the first answer with a file ends
        in the middle of it; ``no-range``: ``Range`` is ignored; ``html``: a page with status 200 instead of the file;
        ``length``: ``Content-Length`` is larger than the body; ``redirect``: to another signed URL.
    :param v1_results: which API has the results of LlamaCloud's batch processing (v1 beta) items.
    :param run_seconds: how long a batch that was submitted takes; a Playment job takes as long.
    :param lose_answers: share of the POST requests, 0 to 1, that take effect but whose answer is lost: the connection
        is closed, or the answer is HTTP 502 or 504.
    :param late_listing: seconds after which a new batch, directory or job is in its listing. Its own address has it at
        once.
    :param refuse_creates: how batches (and Playment's jobs) are refused. ``402``, ``409`` and ``422``: always, in the
        form of the vendor; Playment answers 400. ``429``: one of three creates, directories and files included, with
        ``Retry-After: 0``.
    :param directory_names: whether LlamaCloud refuses a second directory of a name (``unique``) or not (``any``).
        Its documents leave that open.
    :raises ValueError: if a value is out of its range; the message names it.
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
