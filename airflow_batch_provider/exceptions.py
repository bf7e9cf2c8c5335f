"""What can go wrong, a class for each decision that a caller takes.

::

    BatchProviderError                any of ours; carries vendor, endpoint, status, code
    ├── TransientError                passes by itself: Airflow's task retries apply
    │   ├── RateLimitedError          ... come back after retry_after seconds
    │   ├── AmbiguousRequestError     ... a request that is sent once may have taken effect, or not
    │   ├── SubmissionUnclearError    ... what was submitted cannot be seen yet
    │   ├── IncompleteListingError    ... the listing could not be read whole
    │   ├── BatchUnfinishedError      ... its results are not all there yet
    │   ├── ConnectionNotFoundError   ... Airflow finds no such connection; also an AirflowNotFoundException
    │   ├── ExpectationError          ... the export breaks a rule of expect, and was not published
    │   └── ExportReplacedError       ... another export replaced the one that was read
    ├── BatchTimeoutError             a wait timed out; also an AirflowSensorTimeout
    └── FatalError                    a retry would fail again: Airflow does not retry
        ├── AuthenticationError       the key is wrong or may not see this
        ├── PaymentRequiredError      the plan is used up
        ├── NotFoundError             no such project, batch or job
        ├── RequestRefusedError       the vendor does not take this request
        ├── UnexpectedResponseError   not what the vendor documents: is it the right host?
        ├── InvalidParameterError     a value that may not be sent; also a ValueError
        ├── ConnectionSettingsError   the Airflow connection is wrong; also a ValueError
        ├── SubmissionConflictError   what is there is not what is to be submitted
        ├── BatchExistsError          on_existing="fail", and the work was submitted already
        ├── BatchFailedError          the batch that was waited for failed
        ├── BatchCancelledError       ... was cancelled
        ├── BatchItemsFailedError     ... finished, but failed files or calls count
        ├── BatchStalledError         ... did not move for stalled_after
        ├── DestinationError          the place for the export cannot be used
        ├── EmptyExportError          if_empty="fail", and the listing has no rows
        ├── ExportExistsError         if_exists="error", and there is an export already
        └── ExportDamagedError        not what was exported: export again
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSensorTimeout,
)

from airflow_batch_provider.apis.shown import harmless

LONGEST_MESSAGE = 4000
"""Characters of an exception's message."""


class BatchProviderError(AirflowException):
    """Any failure of this package. Whatever its message is made of, it can be logged, stored and sent anywhere.

    :param message: one sentence for people: what happened and what to do
    :param vendor: the vendor's name, where one was asked
    :param endpoint: method and path, without the query
    :param status: the HTTP status, if there was an answer
    :param code: the vendor's error code, if it gave one
    """

    def __init__(
        self,
        message: str,
        *,
        vendor: str | None = None,
        endpoint: str | None = None,
        status: int | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(harmless(message, LONGEST_MESSAGE))
        self.vendor = vendor
        self.endpoint = endpoint
        self.status = status
        self.code = code


class TransientError(BatchProviderError):
    """It may pass by itself; the client has retried already, Airflow's retries apply on top."""


class RateLimitedError(TransientError):
    """The vendor asks to come back later.

    ``retry_after`` is the number of seconds that it asked for, None if it did not say.
    """

    retry_after: float | None = None


class AmbiguousRequestError(TransientError):
    """A request that is sent only once failed, and it is not known whether it took effect."""


class SubmissionUnclearError(TransientError):
    """A vendor does not show yet what was submitted to it; the next try looks for it first."""


class IncompleteListingError(TransientError):
    """A listing repeated itself, did not end, or held fewer rows than the vendor reports."""


class BatchUnfinishedError(TransientError):
    """The results of a batch were asked for before it was finished."""


class ConnectionNotFoundError(TransientError, AirflowNotFoundException):
    """Airflow finds no connection of that id.

    It may be there later: Airflow reports the same if a secrets backend failed.
    """


class ExpectationError(TransientError):
    """An export breaks a rule of ``expect``, so it was not published.

    Airflow's retries apply, since what was too little or missing may be there later; each try reads everything again.
    """


class ExportReplacedError(TransientError):
    """Another export took the place of the one that was being read; to read again is all it takes."""


class FatalError(BatchProviderError, AirflowFailException):
    """A retry would fail again, so the task fails at once."""


class AuthenticationError(FatalError):
    """The API key is wrong, expired, or may not see what was asked for."""


class PaymentRequiredError(FatalError):
    """The account's plan or credits do not cover the request."""


class NotFoundError(FatalError):
    """The project, batch or job does not exist, or is hidden from this key."""


class RequestRefusedError(FatalError):
    """The vendor understood the request and refuses it."""


class UnexpectedResponseError(FatalError):
    """The answer is JSON of another shape than the vendor documents, or comes from elsewhere.

    ``is_too_large`` says that it has more bytes than are read.
    """

    is_too_large = False


class InvalidParameterError(FatalError, ValueError):
    """A parameter has a value that may not be sent."""


class ConnectionSettingsError(FatalError, ValueError):
    """The Airflow connection lacks something, or contains something invalid."""


class SubmissionConflictError(FatalError):
    """What the vendor has of a piece of work is not what is to be submitted, or not what may be."""


class BatchExistsError(FatalError):
    """The piece of work was submitted already, and ``on_existing`` says to fail then."""


class BatchFailedError(FatalError):
    """The batch failed, in the vendor's own words."""


class BatchCancelledError(FatalError):
    """The batch was cancelled."""


class BatchItemsFailedError(FatalError):
    """The batch finished, but files or calls of it failed, and ``fail_on_item_failures`` is set."""


class BatchStalledError(FatalError):
    """Neither status nor counters nor the vendor's time of change moved for ``stalled_after``."""


class BatchTimeoutError(BatchProviderError, AirflowSensorTimeout):
    """The batch was not finished within the sensor's timeout."""


class DestinationError(FatalError):
    """The destination of an export cannot be used as it is configured."""


class EmptyExportError(FatalError):
    """The listing has no rows, and ``if_empty`` asks for no such export."""


class ExportExistsError(FatalError):
    """There is an export at the destination already, and ``if_exists`` says to leave it alone."""


class ExportDamagedError(FatalError):
    """What lies at a destination is not what was exported.

    ``findings`` lists everything that is wrong, even if the message is cut short.
    """

    findings: tuple[str, ...] = ()
