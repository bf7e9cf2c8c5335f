"""Error responses of the vendors, read into values."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import msgspec


class ProblemKind(Enum):
    """What a problem means for the caller."""

    AUTHENTICATION = "authentication"
    PAYMENT = "payment"
    NOT_FOUND = "not found"
    REFUSED = "refused"
    RATE_LIMITED = "rate limited"
    TRANSIENT = "transient"
    NOT_JSON = "not JSON"
    WRONG_SHAPE = "wrong shape"


class Problem(msgspec.Struct, frozen=True):
    """What went wrong, by the vendor's answer.

    :param kind: what it means for the caller
    :param message: the vendor's own sentence, or ours if it gave none
    :param code: the vendor's code, if it gave one
    """

    kind: ProblemKind
    message: str
    code: str | None = None


KINDS_BY_STATUS: Mapping[int, ProblemKind] = {
    401: ProblemKind.AUTHENTICATION,
    402: ProblemKind.PAYMENT,
    403: ProblemKind.AUTHENTICATION,
    404: ProblemKind.NOT_FOUND,
    408: ProblemKind.TRANSIENT,
    410: ProblemKind.NOT_FOUND,
    425: ProblemKind.TRANSIENT,
    429: ProblemKind.RATE_LIMITED,
}
"""Below 500; from 500 on the fault is the vendor's and may pass, all others are permanent."""


LARGEST_ERROR_BODY = 1 << 20
"""Bytes of an error response that are parsed: hostile JSON takes some thirty times its size in memory."""


def kind_of_status(status: int) -> ProblemKind:
    """Return what an HTTP status means that is not the answer; another success, such as 204, is not documented."""
    if 200 < status < 300:
        return ProblemKind.WRONG_SHAPE
    return KINDS_BY_STATUS.get(status, ProblemKind.TRANSIENT if status >= 500 else ProblemKind.REFUSED)


ErrorReader = Callable[[dict[str, Any]], tuple[object, object]]
"""Finds message and code in an error body; it raises LookupError or TypeError if they are not there."""


def read_usual_error(envelope: dict[str, Any]) -> tuple[str | None, str | None]:
    """Find message and code in the places that most APIs use.

    These were met in the vendors' documentation: ``{"error": {"code", "message"}}`` (Playment),
    ``{"detail": "..."}`` (TalkifAI, LlamaCloud), ``{"detail": [{"loc", "msg"}]}`` (LlamaCloud, 422),
    ``{"error": "...", "code": "..."}`` (TalkifAI's introduction), ``{"message": "..."}`` (gateways).

    :param envelope: the body of an error response
    """
    return _message(envelope), _code(envelope)


def read_error_response(
    status: int, body: bytes, kinds_by_code: Mapping[str, ProblemKind], read_error: ErrorReader = read_usual_error
) -> Problem:
    """Read an error response.

    :param status: the HTTP status; 200 if only the body reports an error
    :param body: the whole body
    :param kinds_by_code: what the vendor's codes mean; a code is more precise than the status
    :param read_error: finds message and code in the body; what it does not find is looked for in the usual places,
        because a gateway in front of the vendor has an envelope of its own
    """
    try:
        envelope = json.loads(body) if len(body) <= LARGEST_ERROR_BODY else None
    except (ValueError, RecursionError):
        envelope = None
    if not isinstance(envelope, dict):
        # No vendor's own "not found" is a web page: another server answers there.
        is_elsewhere = status in {404, 405, 410} and _is_html(body)
        return Problem(ProblemKind.WRONG_SHAPE if is_elsewhere else kind_of_status(status), _describe_non_object(body))
    message, code = _told(envelope, read_error)
    kind = kinds_by_code.get(code or "", kind_of_status(status))
    return Problem(kind, message or "no message", code)


def _told(envelope: dict[str, Any], read_error: ErrorReader) -> tuple[str | None, str | None]:
    usual_message, usual_code = read_usual_error(envelope)
    try:
        message, code = read_error(envelope)
    except (LookupError, TypeError):
        return usual_message, usual_code
    return (
        message if isinstance(message, str) and message.strip() else usual_message,
        str(code) if isinstance(code, (str, int)) else usual_code,
    )


def not_json(body: bytes) -> Problem:
    """Return the problem of a body that does not read as JSON, or ends early."""
    return Problem(ProblemKind.NOT_JSON, _describe_non_object(body))


def _describe_non_object(body: bytes) -> str:
    if not body.strip():
        return "the body is empty"
    if _is_html(body):
        return "the body is a page of HTML, not JSON"
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in body[:4]:
        return "the body is UTF-16 or UTF-32; JSON is UTF-8"
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"the body is not UTF-8, which JSON is, at byte {error.start}"
    if len(body) <= LARGEST_ERROR_BODY and (constant := _constant_in(body)):
        return f"the body contains {constant}, which JSON does not have"
    return f"the body of {len(body)} bytes is not the JSON that is documented, or ends early"


def _is_html(body: bytes) -> bool:
    return body.lstrip()[:1] == b"<"


def _constant_in(body: bytes) -> str | None:
    """Return NaN or an infinity, if it is what keeps a body from being JSON."""
    found: list[str] = []
    try:
        json.loads(body, parse_constant=found.append)
    except (ValueError, RecursionError):
        return None
    return found[0] if found else None


def _code(envelope: dict[str, Any]) -> str | None:
    for place in (envelope.get("error"), envelope.get("detail"), envelope):
        if isinstance(place, dict) and isinstance(place.get("code"), (str, int)):
            return str(place["code"])
    return None


def _message(envelope: dict[str, Any]) -> str | None:
    for key in ("error", "detail", "message"):
        place = envelope.get(key)
        if isinstance(place, dict):
            place = place.get("message") or place.get("msg")
        if isinstance(place, list):
            # `input` and `ctx` are left out on purpose: they repeat what the caller sent.
            place = "; ".join(
                f"{_location(item.get('loc'))}: {item.get('msg')}" for item in place if isinstance(item, dict)
            )
        if isinstance(place, str) and place.strip():
            return place
    return None


def _location(loc: object) -> str:
    return ".".join(map(str, loc)) if isinstance(loc, list) else str(loc)
