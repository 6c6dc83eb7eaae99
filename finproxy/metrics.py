"""What happened as figures, for Prometheus: counted from the records, and from live sessions when asked.

An observer of records like any other. The bytes of sessions that are still open are looked up at each scrape,
so that a transfer of an hour is seen while it goes on. The registry is its own: no other user of
prometheus-client in the same process meets it. This module must not know HTTP.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .legs import Leg
from .records import Record
from .session import Session

_COUNTERS: Final = {
    "sessions_opened": ("Sessions opened.", ("proxy",)),
    "sessions_refused": ("Clients refused: no upstream, or no room.", ("proxy",)),
    "ends_received": ("FINs and RSTs received, by the leg they came from.", ("proxy", "leg", "kind")),
    "ends_held": ("FINs and RSTs kept, by the leg they came from.", ("proxy", "leg", "kind")),
    "ends_released": ("FINs and RSTs kept and let go.", ("proxy", "leg", "kind")),
    "ends_dropped": ("FINs and RSTs that the other endpoint was never told.", ("proxy", "leg", "kind")),
    "ends_sent": ("FINs and RSTs sent, by the leg they went out on.", ("proxy", "leg", "kind")),
    "received_bytes": ("Bytes received, by the leg they came from.", ("proxy", "leg")),
    "lost_bytes": ("Bytes lost, by what lost them.", ("proxy", "leg", "why")),
}
"""What is counted from records: its description, and its labels, of which the first is the proxy."""

_KEPT_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_MOST_REASONS: Final = 100
"""Reasons of lost bytes that are told apart: rules come from users, and each is a time series for ever."""
_DIRECTIONS: Final = {Leg.CLIENT: "upstream", Leg.SERVER: "downstream"}
"""Toxiproxy's words for whose bytes they are."""


class Observed(Protocol):
    """A proxy whose live sessions can be looked at."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def listen(self) -> str:
        """Where it listens."""

    @property
    def upstream(self) -> str:
        """Where it leads to."""

    @property
    def sessions(self) -> dict[int, Session]:
        """Its live sessions."""


class Metrics(Collector):
    """Counts records; `proxies` gives the proxies whose live sessions are looked at."""

    def __init__(self, proxies: Callable[[], Iterable[Observed]]) -> None:
        self._proxies = proxies
        self._counts: dict[str, Tally[tuple[str, ...]]] = {name: Tally() for name in _COUNTERS}
        self._reasons: set[str] = set()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._kept = Histogram(
            "finproxy_end_kept_seconds",
            "How long a FIN or a RST was kept from the other endpoint.",
            ("proxy", "leg"),
            buckets=_KEPT_BUCKETS,
            registry=self._registry,
        )

    def __call__(self, record: Record) -> None:
        """Count a record."""
        proxy = record.proxy or ""
        noun, _, act = record.event.partition(".")
        if noun in {"fin", "reset"}:
            self._count(f"ends_{act}", proxy, str(record.leg), noun)
            if act == "released":
                self._kept.labels(proxy, str(record.leg)).observe(record.fields["kept"])
        elif record.event == "session.closed":
            self._session_closed(proxy, record.fields)
        elif noun == "session":
            self._count(f"sessions_{act}", proxy)

    def forget_proxy(self, proxy: str) -> None:
        """A proxy is no more: its time series end, or each name that was ever used would stay for ever."""
        for tally in self._counts.values():
            for labels in [labels for labels in tally if labels[0] == proxy]:
                del tally[labels]
        self._kept.remove_by_labels({"proxy": proxy})

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """What has been counted, and what the open sessions say now."""
        proxies = list(self._proxies())
        open_now = GaugeMetricFamily("finproxy_sessions_open", "Sessions open now.", labels=["proxy"])
        for proxy in proxies:
            open_now.add_metric([proxy.name], len(_live(proxy)))
        yield open_now
        counts = self._counts | {"received_bytes": self._received(proxies)}
        for name, (text, labels) in _COUNTERS.items():
            family = CounterMetricFamily(f"finproxy_{name}", text, labels=labels)
            for values, count in counts[name].items():
                family.add_metric(values, count)
            yield family
        yield from self._theirs(proxies, counts["received_bytes"])

    def _received(self, proxies: Iterable[Observed]) -> Tally[tuple[str, ...]]:
        """Bytes received so far: of sessions that have closed, and of those that are open."""
        now = Tally(self._counts["received_bytes"])
        for proxy in proxies:
            for leg in Leg:
                now[proxy.name, leg.value] += sum(session.bytes_from(leg) for session in _live(proxy))
        return now

    def _theirs(self, proxies: Iterable[Observed], received: Tally[tuple[str, ...]]) -> Iterator[Metric]:
        """Toxiproxy's two counters."""
        families = [
            CounterMetricFamily(
                f"toxiproxy_proxy_{act}_bytes", "", labels=["direction", "listener", "proxy", "upstream"]
            )
            for act in ("received", "sent")
        ]
        for proxy in proxies:
            for leg in Leg:
                came = received[proxy.name, leg.value]
                for family, count in zip(families, (came, came - self._lost(proxy, leg)), strict=True):
                    family.add_metric([_DIRECTIONS[leg], proxy.listen, proxy.name, proxy.upstream], count)
        yield from families

    def _lost(self, proxy: Observed, leg: Leg) -> int:
        closed = sum(
            count
            for labels, count in self._counts["lost_bytes"].items()
            if labels[:2] == (proxy.name, leg.value)
        )
        return closed + sum(session.lost_from(leg) for session in _live(proxy))

    def _session_closed(self, proxy: str, ending: Mapping[str, Any]) -> None:
        for leg, count in ending["bytes"].items():
            self._count("received_bytes", proxy, leg, by=count)
        for loss in ending["losses"]:
            self._count("lost_bytes", proxy, loss["leg"], self._reason(loss["why"]), by=loss["bytes"])

    def _count(self, name: str, *labels: str, by: int = 1) -> None:
        if name in self._counts:  # there are events that nobody counts, such as fin.slipped
            self._counts[name][labels] += by

    def _reason(self, why: str) -> str:
        if len(self._reasons) < _MOST_REASONS:
            self._reasons.add(why)
        return why if why in self._reasons else "other"


def _live(proxy: Observed) -> list[Session]:
    # A session that has ended is counted with the closed ones, also before it is forgotten.
    return [session for session in proxy.sessions.values() if session.ending is None]
