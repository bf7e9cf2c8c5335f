"""What errors of stores mean: the real types of the stores' libraries, in the wrappings in which they arrive."""

from __future__ import annotations

import errno
import os
import ssl
from typing import Any

import pytest

from airflow_batch_provider.apis.shown import redact_urls
from airflow_batch_provider.stores.errors import Cause, classify, holds_secrets


def client_error(code: str, status: int) -> Exception:
    exceptions = pytest.importorskip("botocore.exceptions")
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(response, "PutObject")  # type: ignore[no-any-return]


def as_s3fs_raises(code: str, status: int) -> Exception:
    errors = pytest.importorskip("s3fs.errors")
    return errors.translate_boto_error(client_error(code, status))  # type: ignore[no-any-return]


def azure_error(kind: str, status: int, code: str | None = None) -> Exception:
    exceptions = pytest.importorskip("azure.core.exceptions")
    error = getattr(exceptions, kind)("The server says no.\nRequestId:1\n<xml>")
    error.status_code = status
    if code:
        error.error_code = code
    return error  # type: ignore[no-any-return]


def google_error(status: int, body: bytes = b"no") -> Exception:
    retry = pytest.importorskip("gcsfs.retry")
    with pytest.raises((OSError, ValueError, retry.HttpError)) as raised:
        retry.validate_response(status, body, "b/raw/o/x")
    return raised.value


CASES: dict[str, tuple[Any, Cause]] = {
    "local: disk full": (lambda: OSError(errno.ENOSPC, "No space left"), Cause.FULL),
    "local: quota": (lambda: OSError(errno.EDQUOT, "Quota exceeded"), Cause.FULL),
    "local: no permission": (lambda: PermissionError(errno.EACCES, "Permission denied"), Cause.FORBIDDEN),
    "local: read-only": (lambda: OSError(errno.EROFS, "Read-only file system"), Cause.FORBIDDEN),
    "local: a file where a folder should be": (
        lambda: NotADirectoryError(errno.ENOTDIR, "Not"),
        Cause.UNUSABLE,
    ),
    "local: the folder is a file": (lambda: FileExistsError(errno.EEXIST, "File exists"), Cause.UNUSABLE),
    "local: gone": (lambda: FileNotFoundError(errno.ENOENT, "No such file"), Cause.NO_FILE),
    "local: network file system away": (lambda: OSError(errno.ESTALE, "Stale file handle"), Cause.AWAY),
    "local: disk fails": (lambda: OSError(errno.EIO, "Input/output error"), Cause.AWAY),
    "s3: wrong secret": (lambda: as_s3fs_raises("SignatureDoesNotMatch", 403), Cause.FORBIDDEN),
    "s3: unknown key": (lambda: as_s3fs_raises("InvalidAccessKeyId", 403), Cause.FORBIDDEN),
    "s3: no right": (lambda: as_s3fs_raises("AccessDenied", 403), Cause.FORBIDDEN),
    "s3: forbidden without a body": (lambda: as_s3fs_raises("403", 403), Cause.FORBIDDEN),
    "s3: session over": (lambda: as_s3fs_raises("ExpiredToken", 400), Cause.AWAY),
    "s3: clock": (lambda: as_s3fs_raises("RequestTimeTooSkewed", 403), Cause.AWAY),
    "s3: no bucket": (lambda: as_s3fs_raises("NoSuchBucket", 404), Cause.UNUSABLE),
    "s3: no object": (lambda: as_s3fs_raises("NoSuchKey", 404), Cause.NO_FILE),
    "s3: other region": (lambda: as_s3fs_raises("PermanentRedirect", 301), Cause.UNUSABLE),
    "s3: region in signature": (lambda: as_s3fs_raises("AuthorizationHeaderMalformed", 400), Cause.UNUSABLE),
    "s3: changed": (lambda: as_s3fs_raises("PreconditionFailed", 412), Cause.CONFLICT),
    "s3: rival": (lambda: as_s3fs_raises("ConditionalRequestConflict", 409), Cause.AWAY),
    "s3: slow down": (lambda: as_s3fs_raises("SlowDown", 503), Cause.AWAY),
    "s3: broken": (lambda: as_s3fs_raises("InternalError", 500), Cause.AWAY),
    "s3: body ended early": (lambda: as_s3fs_raises("IncompleteBody", 400), Cause.AWAY),
    "s3: full": (lambda: as_s3fs_raises("XMinioStorageFull", 507), Cause.FULL),
    "azure: wrong key": (
        lambda: azure_error("ClientAuthenticationError", 403, "AuthenticationFailed"),
        Cause.FORBIDDEN,
    ),
    "azure: no right": (
        lambda: azure_error("HttpResponseError", 403, "AuthorizationFailure"),
        Cause.FORBIDDEN,
    ),
    "azure: no container": (
        lambda: azure_error("ResourceNotFoundError", 404, "ContainerNotFound"),
        Cause.UNUSABLE,
    ),
    "azure: no blob": (lambda: azure_error("ResourceNotFoundError", 404, "BlobNotFound"), Cause.NO_FILE),
    "azure: changed": (lambda: azure_error("ResourceModifiedError", 412, "ConditionNotMet"), Cause.CONFLICT),
    "azure: there": (lambda: azure_error("ResourceExistsError", 409, "BlobAlreadyExists"), Cause.CONFLICT),
    "azure: being deleted": (
        lambda: azure_error("HttpResponseError", 409, "ContainerBeingDeleted"),
        Cause.AWAY,
    ),
    "azure: busy": (lambda: azure_error("HttpResponseError", 503, "ServerBusy"), Cause.AWAY),
    "azure: cannot connect": (lambda: azure_error("ServiceRequestError", 0), Cause.AWAY),
    "google: no right": (lambda: google_error(403), Cause.FORBIDDEN),
    "google: wrong token": (
        lambda: google_error(401, b'{"error": {"message": "Invalid Credentials"}}'),
        Cause.FORBIDDEN,
    ),
    "google: not there": (lambda: google_error(404), Cause.NO_FILE),
    "google: changed": (lambda: google_error(412), Cause.CONFLICT),
    "google: invalid name": (
        lambda: google_error(400, b'{"error": {"message": "invalid bucket"}}'),
        Cause.UNUSABLE,
    ),
    "google: too many": (lambda: google_error(429), Cause.AWAY),
    "google: broken": (lambda: google_error(503), Cause.AWAY),
    "certificate": (lambda: ssl.SSLCertVerificationError("certificate verify failed"), Cause.UNUSABLE),
    "timeout": (lambda: TimeoutError("no answer"), Cause.AWAY),
    "connection": (lambda: ConnectionResetError(errno.ECONNRESET, "Connection reset"), Cause.AWAY),
    "unheard of": (lambda: RuntimeError("what is this"), Cause.AWAY),
}


@pytest.mark.parametrize("case", CASES)
def test_errors_are_told_apart_by_what_can_be_done(case: str) -> None:
    make, kind = CASES[case]
    assert classify(make()).kind is kind


def test_the_precise_error_below_a_vague_one_counts() -> None:
    vague = RuntimeError("Failed to upload block")
    vague.__cause__ = azure_error("HttpResponseError", 403, "AuthorizationFailure")
    failure = classify(vague)
    assert failure.kind is Cause.FORBIDDEN
    assert failure.reason == "HttpResponseError: The server says no (AuthorizationFailure)"


def test_errors_in_a_circle_end() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert classify(first).kind is Cause.AWAY


def test_a_reason_is_short_and_on_one_line() -> None:
    reason = classify(OSError(errno.EIO, "x\n" * 5000)).reason
    assert len(reason) < 350
    assert "\n" not in reason


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("PUT https://a.b/c?sig=SESAME&x=1 failed", "PUT https://a.b/c?*** failed"),
        ("url='https://a.b/c?X-Amz-Signature=SESAME', why", "url='https://a.b/c?***', why"),
        ("AccountKey=SESAME;EndpointSuffix=x", "AccountKey=***;EndpointSuffix=x"),
        ("SharedAccessSignature=sv=1&sig=SESAME", "SharedAccessSignature=***&sig=***"),
        ("no secret? here", "no secret? here"),
    ],
)
def test_signed_urls_and_credentials_are_not_shown(text: str, shown: str) -> None:
    assert redact_urls(text) == shown
    assert holds_secrets(OSError(text)) is (shown != text)


def test_names_of_errno_are_those_of_this_system() -> None:
    assert classify(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))).reason.startswith("OSError: [Errno ")
