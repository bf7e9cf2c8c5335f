"""The listings that the benchmark's server serves: made-up rows of the size and shape that the vendors document."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

Query = Mapping[str, str]

NEWEST = datetime(2026, 11, 20, 12, tzinfo=UTC)
BETWEEN_ROWS = timedelta(seconds=7, milliseconds=137)
PROJECT = "prj-5d1c43f2-7a0e-4c1b-9f27-3b6f0f2a9d10"
CONFIGURATION = "cfg-0b9e7c58-1f44-4e0a-8a63-c2d17be0f9a4"
ORGANIZATION = "org_6f3a9c"


class Digits:
    """Random-looking hexadecimal digits that depend on the row alone.

    :param kind: what the row is
    :param index: its number
    """

    def __init__(self, kind: str, index: int) -> None:
        seed = f"{kind}/{index}".encode()
        self._digits = "".join(blake2b(seed, salt=bytes([block])).hexdigest() for block in range(2))
        self._next = 0

    def uuid(self) -> str:
        """Give the next identifier."""
        digits = self._digits[self._next : self._next + 32]
        self._next += 32
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def moment(index: int, minutes: int = 0, timespec: str = "milliseconds") -> str:
    """Give when a row was made, or some minutes later; listings are newest first."""
    time = NEWEST - index * BETWEEN_ROWS + timedelta(minutes=minutes)
    return time.isoformat(timespec=timespec).replace("+00:00", "Z")


def llamacloud_batch(index: int) -> Any:
    digits = Digits("batch", index)
    product = "extract_v2" if index % 3 == 1 else "parse_v2"
    return {
        "id": f"bat-{digits.uuid()}",
        "config": {"job": {"configuration_id": CONFIGURATION, "type": product}},
        "project_id": PROJECT,
        "source_directory_id": f"dir-{digits.uuid()}",
        "status": ("COMPLETED", "COMPLETED", "COMPLETED", "RUNNING", "FAILED")[index % 5],
        "created_at": moment(index),
        "results": [
            {
                "source_directory_file_id": f"dfl-{digits.uuid()}",
                "error_message": "The file is protected by a password" if (index + file) % 10 == 0 else None,
                "job_reference": {"id": f"pjb-{digits.uuid()}", "type": product},
            }
            for file in range(3)
        ],
        "updated_at": moment(index, 11),
    }


def llamacloud_job(index: int) -> Any:
    digits = Digits("job", index)
    total = index % 180 + 1
    return {
        "id": f"bjb-{digits.uuid()}",
        "job_type": ("parse", "extract", "classify")[index % 3],
        "project_id": PROJECT,
        "status": ("completed", "completed", "running", "failed")[index % 4],
        "total_items": total,
        "completed_at": moment(index, 11),
        "created_at": moment(index),
        "directory_id": f"dir-{digits.uuid()}",
        "effective_at": moment(index),
        "error_message": None,
        "failed_items": index % 2,
        "job_record_id": f"rec-{digits.uuid()}",
        "processed_items": total,
        "skipped_items": 0,
        "started_at": moment(index, 1),
        "updated_at": moment(index, 11),
        "workflow_id": f"wf-{digits.uuid()}",
    }


def talkifai_job(index: int) -> Any:
    contacts = index % 500 + 1
    failed = contacts // 9
    return {
        "id": f"batch_{Digits('call', index).uuid()}",
        "name": f"Renewal campaign {index}",
        "description": "Follow up on expiring subscriptions" if index % 2 else None,
        "status": ("completed", "completed", "running", "scheduled")[index % 4],
        "organizationId": ORGANIZATION,
        "agentId": f"agent_{index % 7}",
        "fromPhoneNumberId": f"phone_{index % 3}",
        "totalContacts": contacts,
        "contactsProcessed": contacts,
        "successfulCalls": contacts - failed,
        "failedCalls": failed,
        "scheduledStartTime": moment(index, 60, "seconds"),
        "actualStartTime": moment(index, 61, "seconds"),
        "completedAt": None,
        "createdAt": moment(index, 0, "seconds"),
        "concurrentCallLimit": 5,
        "retryPolicy": {"maxAttempts": 3, "retryableStatuses": ["no_answer", "busy", "timeout"]},
    }


def playment_job(index: int) -> Any:
    identifier = Digits("annotation", index).uuid()
    return {
        "id": identifier,
        "reference_id": f"{index:06d}",
        "status": "pending" if index % 5 == 4 else "completed",
        "frames": 1,
        "annotations": index % 12,
    }


@dataclass(frozen=True)
class Window:
    """The rows that a page holds.

    :param start: its first row
    :param stop: the row after its last one
    """

    start: int
    stop: int


@dataclass(frozen=True)
class Listing:
    """A listing as the server offers it.

    :param path: its path
    :param row: makes the row with a number
    :param window: which rows a query asks for, of so many
    :param envelope: what stands before and after a page's rows
    """

    path: str
    row: Callable[[int], Any]
    window: Callable[[Query, int], Window]
    envelope: Callable[[Query, Window, int], tuple[str, str]]

    def ids(self, jobs: int) -> Iterable[str]:
        """Give the id of every row."""
        return (self.row(index)["id"] for index in range(jobs))


class Rows:
    """All rows of a listing as one text, of which any window is a slice.

    :param row: makes the row with a number
    :param count: how many there are
    """

    def __init__(self, row: Callable[[int], Any], count: int) -> None:
        encode = json.JSONEncoder(separators=(",", ":")).encode
        self._starts = array("Q", [0])
        text = bytearray()
        for index in range(count):
            text += encode(row(index)).encode() + b","
            self._starts.append(len(text))
        self._text = memoryview(text)

    def window(self, window: Window) -> memoryview:
        """Give the rows of a window, with commas between."""
        if window.start >= window.stop:
            return memoryview(b"")
        return self._text[self._starts[window.start] : self._starts[window.stop] - 1]


def _whole(query: Query, name: str, default: int, least: int, most: int) -> int:
    return min(max(int(query.get(name, default)), least), most)


def _span(start: int, size: int, jobs: int) -> Window:
    return Window(min(start, jobs), min(start + size, jobs))


def _token_window(size: Callable[[Query], int]) -> Callable[[Query, int], Window]:
    return lambda query, jobs: _span(int(query.get("page_token") or "0", 36), size(query), jobs)


def _token(window: Window, jobs: int) -> str | None:
    return base36(window.stop) if window.stop < jobs else None


def base36(number: int) -> str:
    """Write a number with the digits 0-9 and a-z: the server's cursor."""
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + text
    return text or "0"


def _items_envelope(query: Query, window: Window, jobs: int) -> tuple[str, str]:
    return '{"items":[', f'],"next_page_token":{json.dumps(_token(window, jobs))},"total_size":null}}'


def _talkifai_envelope(query: Query, window: Window, jobs: int) -> tuple[str, str]:
    page, size = query.get("page", "1"), query.get("pageSize", "20")
    return '{"batchJobs":[', f'],"total":{jobs},"page":{page},"pageSize":{size}}}'


def _playment_envelope(query: Query, window: Window, jobs: int) -> tuple[str, str]:
    token = json.dumps(_token(window, jobs) or "")
    head = '{"data":{"id":"","project_id":"","name":"Batch 1","jobs":['
    return head, f'],"next_page_token":{token}}},"success":true}}'


def _offset_window(query: Query, jobs: int) -> Window:
    return _span(_whole(query, "offset", 0, 0, jobs), _whole(query, "limit", 50, 1, 1000), jobs)


def _number_window(query: Query, jobs: int) -> Window:
    size = _whole(query, "pageSize", 20, 1, 100)
    return _span((int(query.get("page", 1)) - 1) * size, size, jobs)


LISTINGS = {
    "llamacloud.batches": Listing(
        "/api/v2/batches",
        llamacloud_batch,
        _token_window(lambda query: _whole(query, "page_size", 50, 1, 100)),
        _items_envelope,
    ),
    "llamacloud.batch_processing_jobs": Listing(
        "/api/v1/beta/batch-processing", llamacloud_job, _offset_window, _items_envelope
    ),
    "talkifai.batch_jobs": Listing("/batch/jobs", talkifai_job, _number_window, _talkifai_envelope),
    "playment.batch_jobs": Listing(
        "/v1/projects/p/batch/b", playment_job, _token_window(lambda query: 100), _playment_envelope
    ),
}
