"""What is counted, for Prometheus. One registry for each running service."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The service's counters. Label values are codes, never ids of people or sessions."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.streams = Gauge("undertone_streams", "Live streams (channels).", registry=self._registry)
        self.steps = Counter(
            "undertone_steps", "Steps of 100 ms of speech that were run.", registry=self._registry
        )
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
        self.refusals = Counter("undertone_refusals", "Refusals by code.", ["code"], registry=self._registry)

    def ran(self, batch_size: int) -> None:
        """Count one run of the network."""
        self.batch_size.observe(batch_size)
        self.steps.inc(batch_size)

    def text(self) -> bytes:
        """Write all of it in Prometheus's text format."""
        return generate_latest(self._registry)
