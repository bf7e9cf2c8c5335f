"""What the operators of all vendors share that act on a batch that is there: cancel it, start it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.apis.literals import Values
from airflow_batch_provider.apis.parameter import Identifier
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.checked_task import CheckedTask, domains_of
from airflow_batch_provider.hooks.template_fields import check_template_fields
from airflow_batch_provider.links.batch_page import BatchPageLink
from airflow_batch_provider.waiting import verdict

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_batch_provider.apis.batch_state import ShownState


class BatchActionOperator(CheckedTask):
    """Does something with a batch, and returns its id, status and counters after that.

    Subclasses name the kind of batch, the hook and the parameter that has the id.
    """

    kind: ClassVar[BatchKind]
    id_field: ClassVar[str]
    hook_class: ClassVar[type[BatchApiHook]]
    template_fields: Sequence[str] = ()
    operator_extra_links = (BatchPageLink(),)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "id_field" in vars(cls):
            check_template_fields(cls, [cls.id_field, *cls.kind.scope, cls.hook_class.conn_name_attr])

    @classmethod
    def domains(cls) -> dict[str, Values]:
        """Return what parameters may be, by their names."""
        listing = cls.kind.listing
        return {**domains_of(listing.parameters, cls.kind.scope, listing.vendor), cls.id_field: Identifier()}

    @abstractmethod
    def act(self, hook: BatchApiHook, batch_id: str, scope: dict[str, str]) -> ShownState:
        """Do it, and return the batch's state.

        :param hook: the hook of the connection
        :param batch_id: the batch
        :param scope: the values of ``kind.scope`` that are given
        """

    def execute(self, context: Context) -> dict[str, Any]:
        """Do it."""
        self.check_parameters()
        hook = self.hook_class(getattr(self, self.hook_class.conn_name_attr))
        scope = hook.listing_scope(self.kind, {name: getattr(self, name) for name in self.kind.scope})
        return verdict.summary(self.act(hook, str(getattr(self, self.id_field)), scope))


class CancelBatchOperator(BatchActionOperator):
    """Cancels a batch. One that has ended already stays as it is, which is no error.

    What the batch has done until then keeps its results.
    """

    def act(self, hook: BatchApiHook, batch_id: str, scope: dict[str, str]) -> ShownState:
        """Cancel the batch.

        :param hook: the hook of the connection
        :param batch_id: the batch
        :param scope: the values of ``kind.scope`` that are given
        """
        from airflow_batch_provider.submitting.submit import cancel_batch

        return cancel_batch(hook.connect(), self.kind, batch_id, scope)
