from __future__ import annotations

import ssl

import pytest
import requests
import urllib3
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from airflow_batch_provider import exceptions
from airflow_batch_provider.apis.auth import Credentials, KeyHeader
from airflow_batch_provider.apis.problem import Problem, ProblemKind
from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.apis.shown import LONGEST_SHOWN, Redactor
from airflow_batch_provider.client.errors import CLASSES, ErrorMapping
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.vendors import llamacloud

MAPPING = ErrorMapping(
    llamacloud.VENDOR,
    redactor=Redactor(["S3CRET"]),
    settings=Settings(
        connection_id="{my} conn",
        base_url="http://h/{x}",
        auth=KeyHeader("Authorization"),
        credentials=Credentials("S3CRET"),
        read_timeout=1,
    ),
)


@pytest.mark.parametrize("kind", ProblemKind)
def test_every_kind_of_problem_has_a_class_and_a_hint(kind: ProblemKind) -> None:
    assert kind in CLASSES
    error = MAPPING.of_problem(Problem(kind, "because {of} S3CRET", "C_1"), Request("/a/{b}"), 418)
    assert type(error) is CLASSES[kind][0]
    assert (error.vendor, error.endpoint, error.status, error.code) == ("llamacloud", "GET /a/{b}", 418, "C_1")
    for part in ("LlamaCloud", "GET /a/{b}", "HTTP 418", "C_1", "because {of} ***"):
        assert part in str(error)
    assert "S3CRET" not in str(error)


def test_a_long_message_is_cut_and_stays_one_line() -> None:
    message = str(MAPPING.of_problem(Problem(ProblemKind.REFUSED, "word\n" * 1000), Request("/"), 400))
    assert message.count("word") in range(LONGEST_SHOWN // 5 - 3, LONGEST_SHOWN // 5 + 1)
    assert "\n" not in message


@pytest.mark.parametrize(
    ("kind", "passes"),
    [
        (ProblemKind.AUTHENTICATION, False),
        (ProblemKind.PAYMENT, False),
        (ProblemKind.NOT_FOUND, False),
        (ProblemKind.REFUSED, False),
        (ProblemKind.WRONG_SHAPE, False),
        (ProblemKind.RATE_LIMITED, True),
        (ProblemKind.TRANSIENT, True),
        (ProblemKind.NOT_JSON, True),
    ],
)
def test_airflow_retries_only_what_may_pass(kind: ProblemKind, passes: bool) -> None:
    error = MAPPING.of_problem(Problem(kind, "m"), Request("/"), 500)
    assert isinstance(error, exceptions.TransientError) is passes
    assert isinstance(error, AirflowFailException) is not passes


@pytest.mark.parametrize("kind", [ProblemKind.TRANSIENT, ProblemKind.RATE_LIMITED])
def test_what_says_when_to_come_back_is_a_rate_limit(kind: ProblemKind) -> None:
    error = MAPPING.of_problem(Problem(kind, "m"), Request("/"), 503, 90.0)
    assert isinstance(error, exceptions.RateLimitedError)
    assert error.retry_after == 90.0


@pytest.mark.parametrize(
    "kind", [ProblemKind.AUTHENTICATION, ProblemKind.NOT_FOUND, ProblemKind.REFUSED, ProblemKind.WRONG_SHAPE]
)
def test_a_retry_after_makes_nothing_pass_that_will_not(kind: ProblemKind) -> None:
    assert isinstance(MAPPING.of_problem(Problem(kind, "m"), Request("/"), 404, 5.0), AirflowFailException)


@pytest.mark.parametrize(
    "exception",
    [
        requests.ConnectionError("x"),
        requests.ConnectTimeout(),
        requests.ReadTimeout(),
        requests.exceptions.ChunkedEncodingError(),
        requests.exceptions.ContentDecodingError(),
        requests.exceptions.ProxyError(),
        urllib3.exceptions.ProtocolError("x"),
        urllib3.exceptions.DecodeError("x"),
        urllib3.exceptions.IncompleteRead(1, 2),
        requests.exceptions.SSLError(ssl.SSLEOFError("EOF")),
    ],
)
def test_an_exception_of_the_network_may_pass(exception: requests.RequestException) -> None:
    error = MAPPING.of_exception(exception, Request("/a"))
    assert type(error) is exceptions.TransientError
    assert "{my} conn" in str(error)
    assert error.endpoint == "GET /a"


@pytest.mark.parametrize(
    "exception",
    [
        requests.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed")),
        requests.exceptions.InvalidURL("x"),
        requests.exceptions.InvalidSchema("x"),
        requests.exceptions.InvalidProxyURL("x"),
        requests.exceptions.TooManyRedirects("x"),
    ],
)
def test_an_exception_that_the_connection_causes_will_not_pass(exception: requests.RequestException) -> None:
    error = MAPPING.of_exception(exception, Request("/a"))
    assert type(error) is exceptions.ConnectionSettingsError
    assert "{my} conn" in str(error)


def test_the_innermost_reason_is_told() -> None:
    reason = urllib3.exceptions.NewConnectionError(None, "outer")  # type: ignore[arg-type]
    reason.__cause__ = ConnectionRefusedError(111, "Connection refused")
    outer = urllib3.exceptions.MaxRetryError(None, "http://h/?signature=abc", reason)  # type: ignore[arg-type]
    message = str(MAPPING.of_exception(requests.ConnectionError(outer), Request("/a")))
    assert "ConnectionRefusedError" in message
    assert "signature" not in message


def test_a_circle_of_causes_comes_to_an_end() -> None:
    first, second = requests.ConnectionError("first"), OSError("second")
    first.__context__, second.__context__ = second, first
    assert "second" in str(MAPPING.of_exception(first, Request("/a")))


def test_every_error_is_one_of_ours_and_of_airflows() -> None:
    for name, error_class in vars(exceptions).items():
        if isinstance(error_class, type) and issubclass(error_class, Exception) and name.endswith("Error"):
            assert issubclass(error_class, exceptions.BatchProviderError), name
            if error_class is not exceptions.BatchProviderError:
                transient = issubclass(error_class, exceptions.TransientError)
                assert transient is not issubclass(error_class, (AirflowFailException, AirflowSensorTimeout)), name
