"""How many requests came, what became of them, how long they took."""

from prometheus_client import CollectorRegistry, Counter, Histogram

# Of requests that wait for something to happen, how long they took says nothing.
WAITING = frozenset(
    {
        "/v1/agent/state",
        "/v1/agent/questions",
        "/v1/vips/{vip_id}/status",
        "/v1/vips/{vip_id}/explanation",
    }
)
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Requests:
    """Labels are routes as they are described, never paths: their number is the API's own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answered = Counter(
            "lbaas_http_requests",
            "Requests answered, by route and status.",
            ("method", "route", "status"),
            registry=registry,
        )
        # To look up a counter by its labels costs more than to count.
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._took = Histogram(
            "lbaas_http_request_seconds",
            "How long a request took that does not wait for anything.",
            ("route",),
            buckets=BUCKETS,
            registry=registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered, or given up by its client (499)."""
        self.counted(method, route, status)
        if route not in WAITING:
            self._took.labels(route).observe(seconds)

    def counted(self, method: str, route: str, status: int) -> None:
        """As :meth:`answered`, of one whose time says nothing."""
        counter = self._counters.get((method, route, status))
        if counter is None:
            counter = self._answered.labels(method, route, str(status))
            self._counters[method, route, status] = counter
        counter.inc()
