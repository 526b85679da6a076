from __future__ import annotations

import pytest

from meshsim.envoy.config.core import Metadata
from meshsim.envoy.config.listener import Listener
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.formatter import values_of
from meshsim.envoy.loader import parse_bootstrap
from meshsim.envoy.routing import Routed
from meshsim.envoy.stream import Stream
from meshsim.envoy.stream_info import StreamInfo
from meshsim.envoy.surroundings import Surroundings

_MS = 1_000_000
EPOCH_NS = 1_767_225_600_000_000_000

CLUSTER = parse_bootstrap("""
static_resources:
  clusters:
  - name: c
    load_assignment:
      cluster_name: c
      endpoints:
      - lb_endpoints:
        - endpoint: {hostname: named, address: {socket_address: {address: 10.0.0.2, port_value: 80}}}
          metadata: {filter_metadata: {a: {b: host}}}
""").static_resources.clusters[0]


@pytest.fixture
def stream() -> Stream:
    """A stream, 7 ms after its start, whose upstream has begun to answer."""
    around = Surroundings(EPOCH_NS, lambda: 12 * _MS, {"c": CLUSTER}.get, lambda: "unique")
    listener = Listener(name="front", metadata=Metadata(filter_metadata={"a": {"b": "x", "n": 1.5, "m": {"z": True}}}))
    info = StreamInfo(
        5 * _MS, ("1.2.3.4", 0), ("127.0.0.1", 80), 7, listener, peer=("10.0.0.1", 40_001), surroundings=around
    )
    info.request_end_ns, info.upstream_begin_ns, info.upstream_answer_ns = 6 * _MS, 7 * _MS, 10 * _MS + 500
    info.cluster = "c"
    return Stream(None, info, [HttpFilter()], 100, Routed())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("%START_TIME%", "2026-01-01T00:00:00.005Z"),
        ("%START_TIME(%s.%6f)%|%EMIT_TIME(%H:%M:%S.%3f)%", "1767225600.005000|00:00:00.012"),
        ("%START_TIME_LOCAL%", "2026-01-01T00:00:00.005+0000"),
        ("%DURATION% %REQUEST_DURATION% %RESPONSE_DURATION%", "7 1 5"),
        ("%REQUEST_TX_DURATION%%RESPONSE_TX_DURATION%%ROUNDTRIP_DURATION%", ""),
        ("%COMMON_DURATION(US_TX_BEG:US_RX_BEG:us)%", "3000"),
        ("%COMMON_DURATION(US_TX_BEG:US_RX_BEG:ns)%", "3000500"),
        ("%COMMON_DURATION(DS_RX_BEG:DS_TX_END:ms)%%COMMON_DURATION(NO:DS_RX_END:ms)%", ""),
        ("%LISTENER_NAME%|%FILTER_CHAIN_NAME%|%UNIQUE_ID%", "front||unique"),
        ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%|%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "10.0.0.1:40001|1.2.3.4"),
        ("%METADATA(LISTENER:a:b)%|%METADATA(LISTENER:a:n)%|%METADATA(LISTENER:a:m)%", 'x|1.5|{"z":true}'),
        ("%METADATA(LISTENER:a:m):3%|%METADATA(LISTENER:a:b:c)%|%METADATA(LISTENER)%", '{"z||'),
        ("%METADATA(ROUTE:a:b)%%CLUSTER_METADATA(a:b)%%UPSTREAM_METADATA(a:b)%%METADATA(DYNAMIC:a:b)%", ""),
        ("%UPSTREAM_HOST_NAME%%UPSTREAM_PROTOCOL%%UPSTREAM_HOSTS_ATTEMPTED%%UPSTREAM_LOCAL_PORT%", ""),
        ("%TLS_JA3_FINGERPRINT%%DOWNSTREAM_PEER_FINGERPRINT_256%", ""),
    ],
)
def test_what_operators_give(stream: Stream, template: str, text: str) -> None:
    assert values_of(stream)(template) == text


def test_a_host_that_was_chosen_and_one_that_was_reached(stream: Stream) -> None:
    stream.info.upstream = ("10.0.0.9", 80)
    assert values_of(stream)("%UPSTREAM_HOST_NAME%|%UPSTREAM_HOST_NAME_WITHOUT_PORT%") == "10.0.0.9:80|10.0.0.9"
    assert values_of(stream)("%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%|%UPSTREAM_DETECTED_CLOSE_TYPE%") == "|Normal"
    assert values_of(stream)("%UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT%") == ""
    stream.info.upstream_connected = True
    assert values_of(stream)("%UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT%") == "10.0.0.9"
    assert values_of(stream)("%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%") == "127.0.0.1"
