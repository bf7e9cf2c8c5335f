"""How often an operation on a store is tried, and what is said of it."""

from __future__ import annotations

import errno
import logging
import traceback
from collections.abc import Callable

import pytest

from airflow_batch_provider.exceptions import DestinationError, TransientError
from airflow_batch_provider.stores.retry import MOST_ATTEMPTS, ConflictError, DestinationName, attempt

NAME = DestinationName("s3://store@raw/x", "store")


class Failing:
    """Fails a number of times."""

    def __init__(self, times: int, error: Callable[[], BaseException]) -> None:
        self.calls = 0
        self._times = times
        self._error = error

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._times:
            raise self._error()
        return "done"


def test_what_fails_for_a_while_succeeds_in_the_end(pauses: list[float], caplog: pytest.LogCaptureFixture) -> None:
    operation = Failing(5, lambda: ConnectionResetError("gone"))
    assert attempt(operation, "read x", NAME) == "done"
    assert operation.calls == 6
    # Whatever the dice say, a store that is away for ten seconds is survived.
    assert all(least <= pause <= 2 * least for pause, least in zip(pauses, (0.5, 1, 2, 4, 8), strict=True))
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 5
    assert "Cannot read x at destination 's3://store@raw/x' with connection 'store'" in caplog.text


def test_what_fails_too_long_is_an_error_that_may_pass(pauses: list[float]) -> None:
    operation = Failing(100, lambda: ConnectionResetError("gone"))
    with pytest.raises(TransientError) as raised:
        attempt(operation, "read x", NAME)
    assert operation.calls == MOST_ATTEMPTS
    assert str(raised.value) == (
        "Cannot read x at destination 's3://store@raw/x' with connection 'store': ConnectionResetError: gone."
    )


def test_no_attempt_begins_after_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def slow() -> None:
        now[0] += 12
        raise TimeoutError("no answer")

    from airflow_batch_provider import backoff

    monkeypatch.setattr(backoff, "pause", lambda seconds: now.__setitem__(0, now[0] + seconds))
    with pytest.raises(TransientError):
        attempt(slow, "read x", NAME)
    assert 24 < now[0] < 45


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (lambda: PermissionError(errno.EACCES, "Permission denied"), DestinationError),
        (lambda: OSError(errno.ENOSPC, "No space left on device"), TransientError),
        (lambda: FileNotFoundError(errno.ENOENT, "No such file"), FileNotFoundError),
        (lambda: ConflictError("changed"), ConflictError),
        (lambda: KeyboardInterrupt(), KeyboardInterrupt),
        (lambda: SystemExit(1), SystemExit),
    ],
)
def test_what_trying_again_would_not_mend_is_tried_once(
    error: Callable[[], BaseException], raised: type[BaseException], pauses: list[float]
) -> None:
    operation = Failing(100, error)
    with pytest.raises(raised):
        attempt(operation, "read x", NAME)
    assert operation.calls == 1


def test_a_full_disk_is_said_to_be_full() -> None:
    with pytest.raises(TransientError, match="No space is left there; make some, then run the task again"):
        attempt(Failing(1, lambda: OSError(errno.ENOSPC, "No space left on device")), "write x", NAME)


def test_a_signed_url_shows_in_no_message_log_or_traceback(
    pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        try:
            raise OSError("GET https://a.b/c?sig=SESAME failed")
        except OSError as error:
            raise RuntimeError("Upload failed: https://a.b/c?sig=SESAME") from error

    with pytest.raises(TransientError) as raised:
        attempt(fail, "read x", NAME)
    assert "SESAME" not in "".join(traceback.format_exception(raised.value)) + caplog.text
    assert "https://a.b/c?***" in str(raised.value)
