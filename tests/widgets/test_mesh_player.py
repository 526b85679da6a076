"""RequestPlayer on a mesh's run: which request, each hop, each call inside the proxies, and what it says without."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import traitlets

import meshsim as ms
from meshsim.abi.events import Crossing
from meshsim.mesh import CrashWorker, Mesh
from meshsim.mesh.rows import HopRow
from meshsim.sim import Table
from meshsim.widgets._mesh_reading import by_request
from meshsim.widgets._mesh_view import shown_steps
from tests.mesh.test_same import HELLO, MESHES
from tests.mesh.test_same import run as run_of_same

SHORT = [("duration", "300ms"), ("warmup", "0s")]


@pytest.fixture(scope="module")
def asked() -> ms.Result:
    """A filter of the shop's asks ``auth`` about each request and holds it meanwhile; every call is recorded."""
    return ms.load_scenario("slow-callout", SHORT).run(level=ms.Level.ABI)


@pytest.fixture(scope="module")
def rows() -> ms.Result:
    """The same run, of which rows only are kept."""
    return ms.load_scenario("slow-callout", SHORT).run()


def words(player: ms.RequestPlayer, *kinds: str) -> list[tuple[str, str, str]]:
    """From where to where, and what."""
    return [(step.source, step.target, step.text) for step in player.journey.steps if step.kind in kinds]


# -- which request ---


def test_the_slowest_request_is_shown_first(rows: ms.Result) -> None:
    player = ms.RequestPlayer(rows)
    slowest = max(rows.find("root"), key=lambda row: row.end_ns - row.start_ns)
    assert player.request == slowest.request
    assert player.journey.took_ns == slowest.end_ns - slowest.start_ns
    assert player.view["choices"][0][0] == slowest.request
    took = [rows.find(f"root and request == {number}")[0] for number, _ in player.view["choices"]]
    assert took == sorted(took, key=lambda row: row.start_ns - row.end_ns)


def test_a_request_is_chosen_by_its_number_or_by_what_was_found(rows: ms.Result) -> None:
    assert ms.RequestPlayer(rows, request=3).request == 3
    quick = rows.find("root and rt < 10")
    player = ms.RequestPlayer(rows, request=quick)
    assert player.request == max(quick, key=lambda row: row.end_ns - row.start_ns).request
    assert len(player.view["choices"]) == len(quick)
    assert ms.RequestPlayer(rows, request=quick[1]).request == quick[1].request
    player.request = 0
    assert player.view["title"] == "request 0 to shop"
    with pytest.raises(traitlets.TraitError, match=r"no request 999 among the \d+"):
        player.request = 999


def test_what_cannot_be_shown_is_an_error_with_its_remedy(rows: ms.Result) -> None:
    nothing = ms.load_scenario("slow-callout", SHORT).run(level=ms.Level.OFF)
    with pytest.raises(ms.MeshsimError, match=r"its level is OFF.*\n.*level=ms\.Level\.REQUESTS"):
        ms.RequestPlayer(nothing)
    with pytest.raises(ms.MeshsimError, match=r"no request 5000"):
        ms.RequestPlayer(rows, request=5000)
    with pytest.raises(ms.MeshsimError, match="nothing was found"):
        ms.RequestPlayer(rows, request=rows.find("rt > 9000"))
    with pytest.raises(ms.MeshsimError, match="takes no request"):
        ms.RequestPlayer(rows, request=ms.Request())
    with pytest.raises(ms.MeshsimError, match=r"player\.request"):
        ms.RequestPlayer(request=3)


# -- what it shows ---


def test_rows_alone_are_hops_with_their_times(rows: ms.Result) -> None:
    player = ms.RequestPlayer(rows)
    assert words(player, "wire") == [
        ("client", "shop-0", "GET shop"),
        ("shop-0", "auth-0", "GET auth (callout of ask)"),
        ("auth-0", "shop-0", "200"),
        ("shop-0", "stock-0", "GET stock"),
        ("stock-0", "shop-0", "200"),
        ("shop-0", "client", "200"),
    ]
    hops = rows.find(f"request == {player.request} and not root")
    begun = {row.hop: row.start_ns for row in hops}
    first = min(begun.values())
    assert [step.time_ns for step in player.journey.steps if step.text.startswith("GET")] == [
        begun[hop] - first for hop in sorted(begun)
    ]
    assert dict(player.view["steps"][1]["about"])["pod"] == "auth-0"
    assert "level=ms.Level.ABI" in player.view["note"]
    assert player.view["real"] is None


def test_with_every_call_recorded_it_goes_through_each_proxy_and_module(asked: ms.Result) -> None:
    player = ms.RequestPlayer(asked)
    assert [(line["name"], line["role"]) for line in player.view["lifelines"]] == [
        ("client", "client"),
        ("shop-0 proxy", "host"),
        ("ask in shop-0", "module"),
        ("shop-0 app", "upstream"),
        ("auth-0 proxy", "host"),
        ("auth-0 app", "upstream"),
        ("stock-0 proxy", "host"),
        ("stock-0 app", "upstream"),
    ]
    assert words(player, "wire") == [
        ("client", "shop-0 proxy", "GET shop (inbound)"),
        ("shop-0 proxy", "auth-0 proxy", "GET auth (inbound, callout of ask)"),
        ("auth-0 proxy", "auth-0 app", "GET /"),
        ("auth-0 app", "auth-0 proxy", "200"),
        ("auth-0 proxy", "shop-0 proxy", "200"),
        ("shop-0 proxy", "shop-0 app", "GET /"),
        ("shop-0 app", "shop-0 proxy", "GET stock (outbound)"),
        ("shop-0 proxy", "stock-0 proxy", "GET stock (inbound)"),
        ("stock-0 proxy", "stock-0 app", "GET /"),
        ("stock-0 app", "stock-0 proxy", "200"),
        ("stock-0 proxy", "shop-0 proxy", "200"),
        ("shop-0 proxy", "shop-0 app", "200"),
        ("shop-0 app", "shop-0 proxy", "200"),
        ("shop-0 proxy", "client", "200"),
    ]
    called = [text for _, _, text in words(player, "callback")]
    assert called == ["proxy_on_context_create", "proxy_on_request_headers", "proxy_on_http_call_response"]
    assert ("ask in shop-0", "shop-0 proxy", "env.proxy_http_call") in words(player, "hostcall")
    times = [step.time_ns for step in player.journey.steps]
    assert times == sorted(times)
    assert times[-1] == player.journey.took_ns


def test_a_request_is_held_until_the_callout_is_answered_wherever_one_looks(asked: ms.Result) -> None:
    steps = ms.RequestPlayer(asked).journey.steps
    kinds = [step.kind for step in steps]
    pause, resume = kinds.index("pause"), kinds.index("resume")
    assert {(step.paused, step.host) for step in steps[pause:resume]} == {("ask in shop-0", "shop-0 proxy")}
    assert not any(step.paused for step in (*steps[:pause], *steps[resume:]))
    assert {"auth-0 app"} <= {step.target for step in steps[pause:resume]}


def test_both_levels_tell_the_same_story(asked: ms.Result, rows: ms.Result) -> None:
    inside, outside = ms.RequestPlayer(asked), ms.RequestPlayer(rows)
    assert inside.request == outside.request
    assert inside.still().rows == outside.still().rows
    assert (inside.journey.status, inside.journey.took_ns) == (outside.journey.status, outside.journey.took_ns)


@pytest.mark.parametrize("name", ["busy", "gateway", "nodes", "hard times", "at once"])
def test_every_callback_of_a_stream_belongs_to_one_request(name: str) -> None:
    """Nothing is lost between requests that are under way at once, and nothing is told twice."""
    result = run_of_same(name, ms.Level.ABI)
    begun = Counter(
        (pod, generation, entry.time_ns, entry.event)
        for pod, recorders in result.traces.items()
        for generation, recorder in enumerate(recorders)
        for entry in recorder.events
        if isinstance(entry.event, Crossing) and _is_of_a_stream(entry.event)
    )
    told = Counter(
        (each.pod, each.generation, each.time_ns, each.what)
        for happened in by_request(result.traces).values()
        for each in happened
        if isinstance(each.what, Crossing) and _is_of_a_stream(each.what)
    )
    assert told == begun
    requests = by_request(result.traces)
    assert set(requests) <= {row.request for row in result.find("root")}


def _is_of_a_stream(crossing: Crossing) -> bool:
    function, values = crossing.function, crossing.values
    made = function == "proxy_on_context_create" and len(values) > 1 and values[1] != 0
    return made or function in ("proxy_on_request_headers", "proxy_on_response_headers", "proxy_on_log")


@pytest.mark.parametrize("name", ["gateway", "nodes"])
def test_the_modules_of_every_proxy_on_the_way_are_there(name: str) -> None:
    result = run_of_same(name, ms.Level.ABI)
    row = result.find("service == 'db'")[0]
    player = ms.RequestPlayer(result, request=row)
    lifelines = [line["name"] for line in player.view["lifelines"]]
    first = "second in gateway" if name == "gateway" else "hello-wat in node-0"
    assert lifelines[2] == first
    assert f"{row.pod} app" in lifelines
    assert json.loads(json.dumps(player.view)) == player.view


def test_a_try_that_finds_nobody_is_said() -> None:
    mesh, load = MESHES["busy"]
    crashed = mesh.at(20_000_000, CrashWorker("stock-0", down_ns=500_000_000))
    result = crashed.run(load, seconds=0.1, seed=1, level=ms.Level.ABI)
    row = result.find("service == 'stock' and code == 503")[0]
    player = ms.RequestPlayer(result, request=row)
    assert any(text.startswith("stock: upstream_reset") for _, _, text in words(player, "envoy"))
    assert ("shop-0 proxy", "shop-0 app", "503") in words(player, "wire")


def test_a_mesh_without_proxies_says_that_there_is_nothing_inside() -> None:
    topology = ms.Topology([ms.Service("shop", script=(ms.Call("cart"),)), ms.Service("cart")])
    result = Mesh(topology, proxies="none").run(ms.OpenLoop(100), seconds=0.1, seed=1, level=ms.Level.ABI)
    player = ms.RequestPlayer(result)
    assert "no proxies" in player.view["note"]
    assert words(player, "wire")[1] == ("shop-0", "cart-0", "GET cart")


def test_nobody_real_can_be_asked(asked: ms.Result) -> None:
    player = ms.RequestPlayer(asked)
    assert "simulated only" in player.ask_real()
    assert player.real == "unavailable"
    assert player.view["real"] is None


# -- the still ---


def test_the_still_has_the_hops_as_a_table(asked: ms.Result) -> None:
    still = ms.RequestPlayer(asked).still()
    assert [row[:4] for row in still.rows] == [
        ("1", "client", "shop", "shop-0"),
        ("2", "shop", "auth (callout of ask)", "auth-0"),
        ("3", "shop", "stock", "stock-0"),
    ]
    assert "ask in shop-0" in still.svg
    assert "on_http_call_response" in still.svg
    assert "An arrow stands where it arrives." in still.text


def test_a_long_request_leaves_calls_out_of_the_picture_first() -> None:
    mesh = Mesh(ms.Topology([ms.Service("shop")])).with_filter(module=HELLO)
    steps = ms.RequestPlayer(mesh.run(ms.OpenLoop(100), seconds=0.1, seed=1, level=ms.Level.ABI)).journey.steps
    assert shown_steps(steps) == steps
    assert {step.kind for step in shown_steps(steps * 5)} == {"wire", "callback"}
    assert len(shown_steps(steps * 100)) < 100


def test_an_empty_run_is_refused() -> None:
    with pytest.raises(ms.MeshsimError, match="nothing was sent"):
        ms.RequestPlayer(ms.Result(Table(HopRow), run_ns=1))
