"""What may stand in a scenario file, as models: their fields are the format, and the source of its JSON Schema.

Times are texts with a unit (``40ms``); where a distribution makes sense, one of :mod:`meshsim.mesh.times` may stand.
A model knows what is well-formed; what fits together (does this service exist?) is looked at in
:mod:`meshsim.mesh.scenario`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from meshsim.errors import ConfigError
from meshsim.mesh.network import MOST_LOSS
from meshsim.mesh.times import Times, duration_ns, times

_T = TypeVar("_T")

_UNIT = "(ns|us|µs|ms|s|m|h)"
_DURATION_SCHEMA = {"type": "string", "pattern": rf"^\s*(0|(\d+(\.\d*)?{_UNIT})+)\s*$", "examples": ["40ms", "1.5s"]}
_TIMES_SCHEMA = {
    "type": "string",
    "description": "a time, or exponential(10ms), lognormal(10ms, 0.5), uniform(1ms, 2ms), erlang(4, 10ms)...",
    "examples": ["10ms", "lognormal(2ms, 0.5)"],
}


def _reader(read: Callable[[str], _T]) -> Callable[[Any], _T]:
    """Let pydantic hear of a text that ``read`` refuses."""

    def checked(value: Any) -> _T:
        if not isinstance(value, str) and value != 0:
            raise ValueError(f"a time has a unit, as in {value}ms" if isinstance(value, int | float) else "no time")
        try:
            return read(str(value))
        except ConfigError as error:
            raise ValueError(f"{error.what}; {error.remedy}" if error.remedy else error.what) from None

    return checked


Nanoseconds = Annotated[int, BeforeValidator(_reader(duration_ns)), WithJsonSchema(_DURATION_SCHEMA)]
Distribution = Annotated[Times, PlainValidator(_reader(times)), WithJsonSchema(_TIMES_SCHEMA)]
Share = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """Base of all parts of a scenario: no field but those that are named."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True, allow_inf_nan=False
    )


def _one_of(part: Any, names: tuple[str, ...]) -> Any:
    given = [name for name in names if getattr(part, name) is not None]
    if len(given) != 1:
        raise ValueError(f"exactly one of {', '.join(names)} is wanted, not {' and '.join(given) or 'none'}")
    return part


# --- services and the network ---


class RetryPart(Part):
    """Retries by the callers' proxies, in Envoy's words."""

    retry_on: str = Field("5xx", description="what is tried again: 5xx, gateway-error, connect-failure, reset...")
    num_retries: int = Field(1, ge=0, description="at most so often, after the first try")
    per_try_timeout: Nanoseconds = Field(0, description="of each try; 0: none")


class TrafficPart(Part):
    """How callers reach a service: what route and cluster of their proxies say."""

    policy: Literal["ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "RING_HASH", "MAGLEV"] = "ROUND_ROBIN"
    timeout: Nanoseconds = Field(15_000_000_000, description="of the whole request, retries and all")
    retry: RetryPart | None = None
    http2: bool = False
    requests_per_connection: int = Field(0, ge=0)
    route: dict[str, Any] = Field({}, description="more fields of Envoy's RouteAction, in its words")
    cluster: dict[str, Any] = Field({}, description="more fields of Envoy's Cluster: circuit_breakers, ...")


class ServicePart(Part):
    """What isotope has no words for; only what is given changes."""

    replicas: int | None = Field(None, ge=1, le=1000)
    service_time: Distribution | None = Field(None, description="how long a request holds a place, before the script")
    concurrency: int | None = Field(None, ge=0, description="requests that one pod works on at once; 0: any number")
    queue: int | None = Field(None, ge=0, description="requests that may wait for a place; more get 503")
    holds: bool | None = Field(None, description="keep the place until the answer is given")
    discipline: Literal["fifo", "ps"] | None = None
    error_rate: Share | None = Field(None, description="share of requests that the application answers with 500")
    response_bytes: int | None = Field(None, ge=0)
    zones: tuple[str, ...] | None = Field(None, min_length=1, description="replica k is in zone k modulo their number")
    workers: int | None = Field(None, ge=1, le=64, description="worker threads of each sidecar")
    cpu_limit: float | None = Field(None, ge=0, description="processors that each sidecar may use; 0: no limit")
    traffic: TrafficPart | None = None
    http_filters: tuple[dict[str, Any], ...] | None = Field(
        None, description="more HTTP filters of each sidecar's inbound listener, in Envoy's words"
    )


class LinkPart(Part):
    """One way between two machines."""

    latency: Distribution | None = Field(None, description="of each message")
    bandwidth: int = Field(0, ge=0, description="bits a second; 0: no bound")
    loss: float = Field(0.0, ge=0, le=MOST_LOSS, description="share of messages that have to be sent again")


class ZonesPart(LinkPart):
    """The link between two zones."""

    between: tuple[str, str]


class NetworkPart(LinkPart):
    """The network: its own fields are for links within a zone."""

    zones: tuple[ZonesPart, ...] = ()
    tls: bool = Field(False, description="mutual TLS between proxies: new connections cost a handshake")


# --- plugins ---


class PluginPart(Part):
    """A Wasm filter in the sidecars of some services."""

    name: str = Field("", description="for roll_out; the module's name if none is given")
    module: str = Field(description="a .wasm file, beside the scenario")
    services: tuple[str, ...] = Field((), description="whose sidecars; all if none is named; gateway is the gateway")
    configuration: str | dict[str, Any] = Field("", description="what the plugin reads; a mapping is given as JSON")
    direction: Literal["inbound", "outbound", "both"] = "inbound"
    fail_policy: Literal["FAIL_CLOSED", "FAIL_OPEN", "FAIL_RELOAD"] = "FAIL_CLOSED"
    root_id: str = ""
    vm_id: str = ""


# --- load ---


class OpenPart(Part):
    """Requests at a rate, whatever becomes of the answers."""

    rate: float = Field(gt=0, le=1e9, description="requests a second")
    arrivals: Literal["poisson", "constant"] = "poisson"
    burst: int = Field(1, ge=1, description="so many at once")
    connections: int = Field(0, ge=0, description="of the client; 0: as many as it takes")


class PhasePart(OpenPart):
    """An open loop for some time."""

    lasts: Nanoseconds = Field(description="the last phase goes on to the end")


class ClosedPart(Part):
    """Users who send, wait for the answer, think, and send again."""

    users: int = Field(ge=1)
    think: Distribution | None = None


class TracePart(Part):
    """Requests at the times of a CSV file."""

    file: str
    column: str = Field("time_s", description="which has the seconds")
    connections: int = Field(0, ge=0)


class LoadPart(Part):
    """One kind of load."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})
    open: OpenPart | None = None
    closed: ClosedPart | None = None
    phases: tuple[PhasePart, ...] | None = Field(None, min_length=1)
    trace: TracePart | None = None

    @model_validator(mode="after")
    def _one(self) -> LoadPart:
        checked: LoadPart = _one_of(self, tuple(LoadPart.model_fields))
        return checked


# --- timeline ---


class RollOutPart(Part):
    """Another module in place of a plugin's, one pod after the other."""

    service: str
    plugin: str
    module: str
    configuration: str | dict[str, Any] | None = None
    pause: Nanoseconds = Field(0, description="between two pods")


class CrashPart(Part):
    """A pod's proxy ends as by a crash of one of its workers, and starts again."""

    pod: str = Field(description="reviews-0")
    worker: str = "worker_0"
    down: Nanoseconds = Field(1_000_000_000, description="until it is up again")


class LatencyPart(Part):
    """Each message to or from a zone or a service takes longer from now on."""

    where: str = Field(description="a zone or a service")
    by: Nanoseconds = Field(description="0 takes it back")


class FaultPart(Part):
    """An application answers some requests with 500, or takes longer, from now on."""

    service: str
    error_rate: Share = 0.0
    delay: Nanoseconds = 0


class ScalePart(Part):
    """Another number of pods; new ones take requests when their proxies have started."""

    service: str
    replicas: int = Field(ge=1, le=1000)


class PartitionPart(Part):
    """Nothing passes between two zones for a while."""

    between: tuple[str, str]
    lasts: Nanoseconds


class EventPart(Part):
    """Something that happens while the load goes on."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 2, "maxProperties": 2})
    at: Nanoseconds = Field(description="from the beginning of the load")
    roll_out: RollOutPart | None = None
    crash_worker: CrashPart | None = None
    add_latency: LatencyPart | None = None
    set_fault: FaultPart | None = None
    scale: ScalePart | None = None
    partition: PartitionPart | None = None

    @model_validator(mode="after")
    def _one(self) -> EventPart:
        checked: EventPart = _one_of(self, tuple(name for name in EventPart.model_fields if name != "at"))
        return checked


# --- the whole ---


class ScenarioModel(Part):
    """A scenario: a mesh, what is in its proxies, a load, and what happens meanwhile."""

    name: str = Field("", description="the file's name if none is given")
    title: str = ""
    look_for: str = Field("", description="what a reader should look for, in Markdown")
    topology: str | dict[str, Any] = Field(description="an isotope file beside the scenario, or its content")
    services: dict[str, ServicePart] = Field({}, description="by name; '*' is for all, and comes first")
    proxies: Literal["sidecar", "none", "node"] = "sidecar"
    gateway: bool = Field(False, description="requests come in through an Envoy of its own")
    nodes: int = Field(1, ge=1, description="pods are dealt to them in turn; matters with proxies: node")
    envoy_headers: bool = Field(False, description="proxies add x-envoy-upstream-service-time and such; slower")
    deal: Literal["hash", "turn"] = Field(
        "hash", description="how connections come to workers: as Linux does, or in turn"
    )
    network: NetworkPart = Field(default_factory=lambda: NetworkPart.model_validate({}))
    plugins: tuple[PluginPart, ...] = ()
    load: LoadPart
    duration: Nanoseconds = Field(10_000_000_000, description="how long the load goes on")
    warmup: Nanoseconds = Field(0, description="the beginning that measures leave out")
    seed: int = 0
    timeline: tuple[EventPart, ...] = ()


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of scenario files, for editors.

    Examples
    --------
    >>> json_schema()["required"]
    ['topology', 'load']
    """
    schema = ScenarioModel.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "A meshsim scenario"}


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2))
