"""The workflow of the tests against a real Temporal server: input, activity, signals, query, failure, memo, result."""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError


@activity.defn
async def charge(card: str) -> str:
    if card.endswith("declined"):
        raise ApplicationError(f"SECRET-failure of {card}", f"SECRET-detail of {card}", non_retryable=True)
    return f"SECRET-charged {card}"


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.done = False

    @workflow.run
    async def run(self, card: str) -> str:
        # Attempts fail while the codec restarts; what is declined stays so.
        retries = RetryPolicy(initial_interval=timedelta(milliseconds=200), backoff_coefficient=1.0)
        options = {"start_to_close_timeout": timedelta(seconds=30), "retry_policy": retries}
        charged = await workflow.execute_activity(charge, card, **options)
        try:
            await workflow.execute_activity(charge, f"{card} declined", **options)
        except ActivityError:
            pass
        await workflow.wait_condition(lambda: self.done)
        return f"SECRET-result {charged} {' '.join(self.notes)}"

    @workflow.signal
    def note(self, text: str) -> None:
        self.notes.append(text)

    @workflow.signal
    def finish(self) -> None:
        self.done = True

    @workflow.query
    def state(self) -> str:
        return f"SECRET-state {len(self.notes)}"


@workflow.defn
class Tick:
    @workflow.run
    async def run(self, what: str) -> str:
        return f"SECRET-ticked {what}"


@workflow.defn
class Echo:
    @workflow.run
    async def run(self, what: str) -> str:
        return what
