"""What is counted, for Prometheus. One registry for each running service."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from undertone_service.settings import Settings
from undertone_service.workload import Batch


class Metrics:
    """The service's counters. Label values are codes, never ids of people or sessions.

    What others keep is asked for when it is read: live ``streams``, ``load``, ``delay`` and whether the service is
    ``ready``; beside them stand the limits of ``settings``.
    """

    def __init__(
        self,
        *,
        streams: Callable[[], int],
        load: Callable[[], float],
        delay: Callable[[], float],
        ready: Callable[[], bool],
        settings: Settings,
    ) -> None:
        self._registry = CollectorRegistry()
        self._gauge("streams", "Live streams (channels).", streams)
        self._gauge("load", "Share of its time that the busier of engine and event loop needs.", load)
        self._gauge("step_delay_seconds", "Mean time of a step from being ready to being back.", delay)
        self._gauge("ready", "1 while new streams are taken.", ready)
        self._gauge("max_streams", "Live streams that are allowed.", lambda: settings.max_streams)
        self._gauge("max_load", "Load above which streams are refused.", lambda: settings.max_load)
        self._gauge(
            "max_step_delay_seconds",
            "Delay above which streams are refused.",
            lambda: settings.max_step_delay,
        )
        self.steps = self._counter(
            "steps", "Steps of 100 ms of speech, and questions to the heads, that ran."
        )
        self.busy = self._counter("engine_busy_seconds", "Time in which the network ran.")
        self.batch_size = Histogram(
            "undertone_batch_size",
            "Streams in one run of the network.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=self._registry,
        )
        self.lag = Histogram(
            "undertone_result_lag_seconds",
            "Time of sending a result less arrival of its last sample.",
            buckets=(0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10),
            registry=self._registry,
        )
        self.thinned = self._counter("results_thinned", "Results dropped because a client read too slowly.")
        self.refusals = self._counter("refusals", "Refusals by code.", "code")
        self.streams_refused = self._counter("streams_refused", "New streams refused, by reason.", "reason")
        for reason in ("streams", "load", "delay", "draining"):
            self.streams_refused.labels(reason)  # from 0, so that the first one is seen as a rise
        ProcessCollector(registry=self._registry)

    def ran(self, batch: Batch) -> None:
        """Count one run of the network."""
        self.batch_size.observe(batch.size)
        self.steps.inc(batch.size)
        self.busy.inc(batch.seconds)

    def text(self) -> bytes:
        """Write all of it in Prometheus's text format."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        Gauge(f"undertone_{name}", meaning, registry=self._registry).set_function(value)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"undertone_{name}", meaning, labels, registry=self._registry)
