from __future__ import annotations

from random import Random
from typing import Any

import pytest
import yaml

from meshsim.envoy.config.route import RouteConfiguration
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.loader import parse_bootstrap
from meshsim.envoy.rewriting import rewrite
from meshsim.envoy.routing import Match, find_route
from tests.envoy.conftest import listener

OK = {"direct_response": {"status": 200}}


def configuration(*hosts: dict[str, Any], **fields: Any) -> RouteConfiguration:
    """Return route configuration as the loader reads it, from virtual hosts."""
    config = {"name": "routes", "virtual_hosts": list(hosts), "validate_clusters": False, **fields}
    text = yaml.safe_dump({"static_resources": {"listeners": [listener(manager={"route_config": config})]}})
    manager = parse_bootstrap(text).static_resources.listeners[0].filter_chains[0].filters[0].typed_config
    assert manager
    assert manager.route_config
    return manager.route_config


def routes(*matches: dict[str, Any]) -> RouteConfiguration:
    """Return one virtual host whose routes are named by their number."""
    named = [{"name": str(i), "match": match, **OK} for i, match in enumerate(matches)]
    return configuration({"name": "all", "domains": ["*"], "routes": named})


def request(path: str = "/", authority: str = "h", *pairs: tuple[bytes, bytes]) -> HeaderMap:
    pseudo = [(b":authority", authority.encode()), (b":path", path.encode()), (b":method", b"GET")]
    return HeaderMap([*pseudo, (b"x-forwarded-proto", b"http"), *pairs], Kind.REQUEST)


def chosen(config: RouteConfiguration, headers: HeaderMap) -> Match | None:
    return find_route(config, headers, Random(1)).match


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("a.known.org", "suffix"),
        ("x.a.known.org", "long suffix"),
        ("known.org", "any"),
        (".known.org", "any"),
        ("KNOWN.com", "exact"),
        ("known.com:80", "any"),
        ("api.x", "prefix"),
        ("api.known.org", "suffix"),
        ("", "any"),
    ],
)
def test_the_virtual_host_exact_then_suffix_then_prefix_then_any(authority: str, host: str) -> None:
    domains = {
        "any": "*",
        "prefix": "api.*",
        "suffix": "*.known.org",
        "long suffix": "*.a.known.org",
        "exact": "known.com",
    }
    hosts = [
        {"name": name, "domains": [domain], "routes": [{"match": {"prefix": "/"}, **OK}]}
        for name, domain in domains.items()
    ]
    found = find_route(configuration(*hosts), request(authority=authority), Random(1))
    assert found.host
    assert found.host.name == host


def test_a_request_without_a_host_of_its_own_has_no_route() -> None:
    config = configuration({"name": "x", "domains": ["x"], "routes": [{"match": {"prefix": "/"}, **OK}]})
    assert find_route(config, request(), Random(1)).host is None
    assert chosen(config, request()) is None


@pytest.mark.parametrize(
    ("match", "taken", "left"),
    [
        ({"path": "/a"}, ["/a", "/a?q", "/a#f"], ["/A", "/a/", "/ab", "/"]),
        ({"prefix": "/a"}, ["/a", "/ab", "/a/b?q"], ["/A", "/b"]),
        ({"prefix": "/A", "case_sensitive": False}, ["/a", "/A"], ["/b"]),
        ({"path_separated_prefix": "/a"}, ["/a", "/a/b", "/a?q", "/a/"], ["/ab"]),
        ({"safe_regex": {"regex": "/a|/b+"}}, ["/a", "/bbb", "/a?q"], ["/ab", "/ax", "x/a"]),
    ],
)
def test_paths(match: dict[str, Any], taken: list[str], left: list[str]) -> None:
    config = routes(match)
    assert [path for path in taken + left if chosen(config, request(path))] == taken


def test_the_first_route_that_fits_counts() -> None:
    config = routes({"prefix": "/a"}, {"path": "/ab"}, {"prefix": "/"})
    assert [match.route.name for path in ("/ab", "/b") if (match := chosen(config, request(path)))] == ["0", "2"]


@pytest.mark.parametrize("header", [b"x-forwarded-proto", b":path"])
def test_a_request_that_lost_what_routing_needs_matches_nothing(header: bytes) -> None:
    headers = request()
    headers.remove(header)
    assert chosen(routes({"prefix": "/"}), headers) is None


@pytest.mark.parametrize(
    ("condition", "values", "takes"),
    [
        ({"string_match": {"exact": "one"}}, [b"two", b"one"], True),
        ({"string_match": {"exact": "two,one"}}, [b"two", b"one"], False),
        ({"string_match": {"exact": "two,one"}}, [b"two,one"], True),
        ({"string_match": {"exact": "x"}, "invert_match": True}, [], False),
        ({"present_match": True}, [b""], True),
        ({"present_match": False}, [], True),
        ({"present_match": False}, [b"v"], False),
        ({"present_match": True, "invert_match": True}, [], True),
        ({"string_match": {"safe_regex": {"regex": "a.c"}}}, [b"abc"], True),
        ({"string_match": {"safe_regex": {"regex": "a.c"}}}, [b"abcd"], False),
        ({"range_match": {"start": 1, "end": 3}}, [b"2"], True),
        ({"range_match": {"start": 1, "end": 3}}, [b"3"], False),
        ({"range_match": {"start": 1, "end": 3}}, [b"x" * 50], False),
        ({"range_match": {"start": 1, "end": 3}}, [b"9" * 5000], False),
    ],
)
def test_headers(condition: dict[str, Any], values: list[bytes], takes: bool) -> None:
    config = routes({"prefix": "/", "headers": [{"name": "X-A", **condition}]})
    headers = request("/", "h", *((b"x-a", value) for value in values))
    assert bool(chosen(config, headers)) is takes


@pytest.mark.parametrize(
    ("target", "takes"), [("/?a=1", True), ("/?b&a=1", True), ("/?a=2", False), ("/", False), ("/?a=1&a=2", True)]
)
def test_query_parameters(target: str, takes: bool) -> None:
    config = routes({"prefix": "/", "query_parameters": [{"name": "a", "string_match": {"exact": "1"}}]})
    assert bool(chosen(config, request(target))) is takes


def test_shares_follow_their_weights() -> None:
    clusters = [{"name": "a", "weight": 3}, {"name": "b", "weight": 1}, {"name": "never", "weight": 0}]
    config = configuration(
        {
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": clusters}}}],
        }
    )
    random = Random(1)
    found = [find_route(config, request(), random).match for _ in range(2000)]
    counts = {name: sum(match is not None and match.cluster == name for match in found) for name in ("a", "b", "never")}
    assert counts["never"] == 0
    assert counts["a"] + counts["b"] == 2000
    assert 1400 < counts["a"] < 1600


def edited(options: list[dict[str, Any]], remove: list[str] | None = None) -> list[tuple[bytes, bytes]]:
    """Return the headers of a request behind its pseudo ones, after a route has edited them."""
    route = {"match": {"prefix": "/"}, **OK, "request_headers_to_add": options}
    if remove:
        route["request_headers_to_remove"] = remove
    match = chosen(configuration({"name": "all", "domains": ["*"], "routes": [route]}), request())
    assert match
    headers = HeaderMap([(b":path", b"/"), (b"a", b"1"), (b"b", b"2")], Kind.REQUEST)
    match.edit_request(headers, lambda template: template.replace("%X%", "filled"))
    return headers.pairs()[1:]


def add(key: str, value: str, action: str = "APPEND_IF_EXISTS_OR_ADD", **fields: Any) -> dict[str, Any]:
    return {"header": {"key": key, "value": value}, "append_action": action, **fields}


@pytest.mark.parametrize(
    ("options", "after"),
    [
        ([add("A", "3")], [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]),
        ([add("a", "3", "ADD_IF_ABSENT"), add("c", "3", "ADD_IF_ABSENT")], [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]),
        ([add("a", "3", "OVERWRITE_IF_EXISTS_OR_ADD")], [(b"b", b"2"), (b"a", b"3")]),
        ([add("c", "3", "OVERWRITE_IF_EXISTS")], [(b"a", b"1"), (b"b", b"2")]),
        (
            [add("c", "3"), add("a", "4", "OVERWRITE_IF_EXISTS_OR_ADD")],
            [(b"b", b"2"), (b"a", b"4"), (b"c", b"3")],
        ),
        ([add("c", "")], [(b"a", b"1"), (b"b", b"2")]),
        ([add("c", "", keep_empty_value=True)], [(b"a", b"1"), (b"b", b"2"), (b"c", b"")]),
    ],
)
def test_what_a_route_adds(options: list[dict[str, Any]], after: list[tuple[bytes, bytes]]) -> None:
    assert edited(options) == after


def test_removals_come_first() -> None:
    assert edited([add("a", "3")], ["A"]) == [(b"b", b"2"), (b"a", b"3")]


@pytest.mark.parametrize("wins", [False, True])
def test_levels_apply_from_the_route_outwards_or_the_other_way_round(wins: bool) -> None:
    def level(value: str) -> dict[str, Any]:
        return {"request_headers_to_add": [add("x", value)]}

    route = {"match": {"prefix": "/"}, **OK, **level("route")}
    config = configuration(
        {"name": "all", "domains": ["*"], "routes": [route], **level("host")},
        **level("configuration"),
        most_specific_header_mutations_wins=wins,
    )
    match, headers = chosen(config, request()), HeaderMap()
    assert match
    match.edit_request(headers, str)
    values = [b"route", b"host", b"configuration"]
    assert headers.all(b"x") == (values[::-1] if wins else values)


@pytest.mark.parametrize(
    ("match", "action", "target", "path"),
    [
        ({"prefix": "/a"}, {"prefix_rewrite": "/z"}, "/a/b?q=1", "/z/b?q=1"),
        ({"prefix": "/a/"}, {"prefix_rewrite": "/"}, "/a/b", "/b"),
        ({"path": "/a"}, {"prefix_rewrite": "/z"}, "/a?q", "/z?q"),
        (
            {"prefix": "/"},
            {"regex_rewrite": {"pattern": {"regex": "/(.*)/(.*)"}, "substitution": r"/\2/\1"}},
            "/a/b?q",
            "/b/a?q",
        ),
    ],
)
def test_rewrites_leave_the_query_and_a_trace(
    match: dict[str, Any], action: dict[str, Any], target: str, path: str
) -> None:
    route = {"match": match, "route": {"cluster": "c", **action}}
    headers = request(target)
    found = chosen(configuration({"name": "all", "domains": ["*"], "routes": [route]}), headers)
    assert found
    rewrite(found, headers, keep_original=True)
    assert (headers[b":path"], headers[b"x-envoy-original-path"]) == (path.encode(), target.encode())
