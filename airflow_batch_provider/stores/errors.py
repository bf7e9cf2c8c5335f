"""What an error of a store means. The stores' own libraries raise hundreds of types, many of them no OSError."""

from __future__ import annotations

import enum
import errno
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from airflow_batch_provider.apis.shown import harmless, redact_urls


class Cause(enum.Enum):
    """What to do about a failure."""

    AWAY = "it may pass: try again"
    FULL = "no space is left: somebody has to make some"
    FORBIDDEN = "these credentials may not do this"
    UNUSABLE = "the destination or its connection is wrong"
    NO_FILE = "this file is not there"
    CONFLICT = "the file is another one than was expected"


@dataclass(frozen=True)
class Failure:
    """An error, read.

    :param kind: what to do about it
    :param reason: what the store said, without secrets
    """

    kind: Cause
    reason: str


_ADVICE = {
    Cause.AWAY: "",
    Cause.FULL: "No space is left there; make some, then run the task again.",
    Cause.FORBIDDEN: "Check the credentials and rights of the connection: it must {rights} there.",
    Cause.CONFLICT: "A lease, a lock or a retention policy there may keep files from being replaced or removed.",
    Cause.UNUSABLE: "Check the bucket, container or folder, and the connection's region and endpoint.",
    Cause.NO_FILE: "Check that the bucket or container exists.",
}

_LOCAL_ADVICE = {
    Cause.FULL: _ADVICE[Cause.FULL],
    Cause.FORBIDDEN: "Check the owner and permissions of that folder: the worker's user must {rights} there.",
    Cause.UNUSABLE: "Check that each part of this path is a folder, or a link to one.",
    Cause.NO_FILE: "Check that each part of this path is a folder, or a link to one that exists.",
    Cause.CONFLICT: "Check that nothing else writes there.",
}

_ERRNO = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), Cause.FULL),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), Cause.FORBIDDEN),
    **dict.fromkeys((errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP), Cause.UNUSABLE),
    errno.ENOENT: Cause.NO_FILE,
}

# The error codes of S3, Azure and Google that say more than their HTTP status.
_CODES = {
    **dict.fromkeys(
        # Credentials that expired are renewed by the next try; clocks are set right.
        ("ExpiredToken", "ExpiredTokenException", "RequestTimeTooSkewed", "TokenRefreshRequired", "RequestExpired"),
        Cause.AWAY,
    ),
    **dict.fromkeys(("RequestTimeout", "IncompleteBody", "BadDigest", "OperationAborted", "InvalidPart"), Cause.AWAY),
    **dict.fromkeys(
        ("NoSuchUpload", "ContainerBeingDeleted", "ContainerBeingCreated", "TemporaryRedirect"), Cause.AWAY
    ),
    **dict.fromkeys(("ConditionalRequestConflict", "XAmzContentSHA256Mismatch"), Cause.AWAY),
    **dict.fromkeys(("NoSuchBucket", "ContainerNotFound", "FilesystemNotFound", "AccountIsDisabled"), Cause.UNUSABLE),
    **dict.fromkeys(("PermanentRedirect", "AuthorizationHeaderMalformed", "InvalidBucketName"), Cause.UNUSABLE),
    **dict.fromkeys(("IllegalLocationConstraintException", "InvalidRequest", "KeyTooLongError"), Cause.UNUSABLE),
    **dict.fromkeys(("InvalidResourceName", "InvalidUri", "OutOfRangeInput"), Cause.UNUSABLE),
    **dict.fromkeys(("NoSuchKey", "BlobNotFound", "PathNotFound"), Cause.NO_FILE),
    **dict.fromkeys(("PreconditionFailed", "ConditionNotMet", "BlobAlreadyExists"), Cause.CONFLICT),
    **dict.fromkeys(("TargetConditionNotMet", "conditionNotMet"), Cause.CONFLICT),
    **dict.fromkeys(("QuotaExceeded", "XMinioStorageFull", "InsufficientAccountStorage"), Cause.FULL),
}

_STATUSES = {
    400: Cause.UNUSABLE,
    401: Cause.FORBIDDEN,
    402: Cause.FORBIDDEN,
    403: Cause.FORBIDDEN,
    404: Cause.NO_FILE,
    405: Cause.UNUSABLE,
    412: Cause.CONFLICT,
    501: Cause.UNUSABLE,
    507: Cause.FULL,
}

# Raised before anything is sent, or while logging in. By name: these libraries need not be installed.
_NAMES = {
    **dict.fromkeys(("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"), Cause.FORBIDDEN),
    **dict.fromkeys(("ClientAuthenticationError", "DefaultCredentialsError", "RefreshError"), Cause.FORBIDDEN),
    **dict.fromkeys(("ParamValidationError", "InvalidRegionError", "NoRegionError"), Cause.UNUSABLE),
    **dict.fromkeys(
        ("InvalidEndpoint", "UnknownEndpointError", "EndpointResolutionError", "InvalidURL"), Cause.UNUSABLE
    ),
    **dict.fromkeys(("ProfileNotFound",), Cause.UNUSABLE),
}


def classify(error: BaseException) -> Failure:
    """Read an error, and those that it came from: the outermost is often the least precise.

    :param error: what a store raised
    """
    chain = list(_chain(error))
    for reader in (_by_code, _by_name, _by_status, _by_errno, _by_text):
        for link in chain:
            kind = reader(link)
            if kind:
                return Failure(kind, _reason(link))
    return Failure(Cause.AWAY, _reason(next((link for link in chain if str(link).strip()), error)))


def advice(kind: Cause, rights: str, *, on_disk: bool = False) -> str:
    """Return what a person can do, empty where waiting is all.

    :param kind: what to do about the failure
    :param rights: what must be allowed there
    :param on_disk: whether a local disk failed, which has neither buckets nor credentials
    """
    return (_LOCAL_ADVICE if on_disk else _ADVICE).get(kind, "").format(rights=rights)


def holds_secrets(error: BaseException) -> bool:
    """Tell whether an error must not be shown as it is."""
    return any(redact_urls(str(link)) != str(link) for link in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _code(error: BaseException) -> str | None:
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore's
        return str(response.get("Error", {}).get("Code"))
    code = getattr(error, "error_code", None)  # Azure's
    return str(getattr(code, "value", code)) if code else None


def _by_code(error: BaseException) -> Cause | None:
    return _CODES.get(_code(error) or "")


def _by_name(error: BaseException) -> Cause | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Cause.UNUSABLE
    if getattr(error, "retryable", False) is True:
        return Cause.AWAY
    return next((_NAMES[base.__name__] for base in type(error).__mro__ if base.__name__ in _NAMES), None)


def _by_status(error: BaseException) -> Cause | None:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        status = next(
            (
                value
                for name in ("status_code", "status", "code")
                if isinstance(value := getattr(error, name, None), int)
            ),
            None,
        )
    return _STATUSES.get(status) if isinstance(status, int) else None


def _by_errno(error: BaseException) -> Cause | None:
    if isinstance(error, PermissionError):
        return Cause.FORBIDDEN
    if isinstance(error, FileNotFoundError):
        return Cause.NO_FILE
    if isinstance(error, FileExistsError):
        return Cause.CONFLICT if error.errno is None else Cause.UNUSABLE
    return _ERRNO.get(error.errno or 0) if isinstance(error, OSError) else None


def _by_text(error: BaseException) -> Cause | None:
    # gcsfs makes these of 400 and 403, and nothing else in them is specific.
    if type(error) is OSError and str(error).startswith("Forbidden: "):
        return Cause.FORBIDDEN
    if type(error) is ValueError and str(error).startswith("Bad Request: "):
        return Cause.UNUSABLE
    return None


def _reason(error: BaseException) -> str:
    code = _code(error)
    text = str(error).strip()
    if code and hasattr(error, "error_code") and text:
        text = f"{text.splitlines()[0].rstrip('.')} ({code})"  # the lines that follow repeat it as headers and XML
    return f"{type(error).__name__}: {harmless(text)}".rstrip(": .")
