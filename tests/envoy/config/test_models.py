"""Bootstraps as people write them, read into models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from meshsim.envoy.config import HttpConnectionManager, Router, Wasm
from meshsim.envoy.loader import parse_bootstrap
from meshsim.errors import UnmodelledField

BASE = Path(__file__).with_name("bootstrap.yaml").read_text(encoding="utf-8")
EVERYTHING = Path(__file__).with_name("everything.yaml").read_text(encoding="utf-8")


def manager(text: str) -> HttpConnectionManager:
    found = parse_bootstrap(text, environment={}).static_resources.listeners[0].filter_chains[0].filters[0].typed_config
    assert found is not None
    return found


def test_the_classic_bootstrap() -> None:
    filters = manager(BASE).http_filters

    assert [item.name for item in filters] == ["w", "envoy.filters.http.router"]
    assert isinstance(filters[0].typed_config, Wasm)
    assert isinstance(filters[1].typed_config, Router)
    plugin = filters[0].typed_config.config
    assert (plugin.name, plugin.root_id, plugin.configuration_bytes) == ("p", "r", b"hello")
    assert plugin.vm_config is not None
    assert (plugin.vm_config.vm_id, plugin.vm_config.runtime) == ("v", "envoy.wasm.runtime.v8")


def test_everything_that_is_modelled_reaches_the_models() -> None:
    bootstrap = parse_bootstrap(EVERYTHING, environment={"HOME": "/home/envoy", "SECRET": "x"})
    main = bootstrap.static_resources.listeners[0]
    http = main.filter_chains[0].filters[0].typed_config
    assert http is not None
    assert http.route_config is not None
    first, second, third = http.route_config.virtual_hosts[0].routes

    assert bootstrap.node.metadata == {"NAME": "pod-1", "weight": 3, "ratio": "1.5"}
    assert main.traffic_direction == "INBOUND"
    assert main.metadata is not None
    assert main.metadata.filter_metadata == {"a": {"b": [1, True, None]}}
    assert http.stream_idle_timeout == 30_500_000_000
    assert (http.codec_type, http.use_remote_address, http.max_request_headers_kb) == ("HTTP1", True, 60)
    assert first.match.headers[0].matches("Bearer x")
    assert first.match.query_parameters[0].present_match is True
    assert first.route is not None
    assert first.route.weighted_clusters is not None
    assert [choice.weight for choice in first.route.weighted_clusters.clusters] == [90, 10]
    assert first.typed_per_filter_config["w"].disabled
    assert first.request_headers_to_add[0].action == "OVERWRITE_IF_EXISTS_OR_ADD"
    assert second.redirect is not None
    assert second.redirect.response_code == "FOUND"
    assert third.direct_response is not None
    assert bootstrap.sources.bytes_of(third.direct_response.body) == b"hi"
    assert [cluster.type for cluster in bootstrap.static_resources.clusters] == ["STRICT_DNS", "STATIC"]
    endpoint = next(bootstrap.static_resources.clusters[1].endpoints()).endpoint
    assert endpoint is not None
    assert endpoint.address is not None
    assert endpoint.address.socket_address is not None
    assert endpoint.address.socket_address.port == 9000


def test_the_environment_of_a_vm() -> None:
    bootstrap = parse_bootstrap(EVERYTHING, environment={"HOME": "/home/envoy", "SECRET": "x"})
    http = bootstrap.static_resources.listeners[0].filter_chains[0].filters[0].typed_config
    assert http is not None
    assert isinstance(http.http_filters[0].typed_config, Wasm)
    vm = http.http_filters[0].typed_config.config.vm_config
    assert vm is not None

    # What the configuration does not name is not carried along.
    assert bootstrap.sources.environment == {"HOME": "/home/envoy"}
    assert vm.environment(bootstrap.sources.environment) == {"HOME": "/home/envoy", "MODE": "dev"}


def test_inert_fields_are_listed_and_nothing_is_ignored() -> None:
    bootstrap = parse_bootstrap(EVERYTHING, environment={})

    assert bootstrap.ignored == ()
    assert "admin.access_log_path" in bootstrap.inert
    assert "static_resources.listeners[0].listener_filters[0]" in bootstrap.inert


def test_models_are_frozen() -> None:
    with pytest.raises(ValidationError):
        parse_bootstrap("{}").node.id = "x"


def test_both_spellings_and_single_values_for_lists() -> None:
    bootstrap = parse_bootstrap(
        "staticResources: {listeners: {name: a, address: {socketAddress: {address: 127.0.0.1, portValue: '80'}}, "
        "filterChains: {filters: []}}}"
    )

    (listener,) = bootstrap.static_resources.listeners
    assert listener.address is not None
    assert listener.address.socket_address is not None
    assert listener.address.socket_address.port == 80
    assert listener.filter_chains[0].filters == ()


def test_a_typed_struct_stands_for_the_message_that_it_names() -> None:
    text = BASE.replace(
        '"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
        '"@type": type.googleapis.com/udpa.type.v1.TypedStruct\n'
        "              type_url: type.googleapis.com/envoy.extensions.filters.http.router.v3.Router\n"
        "              value: {suppress_envoy_headers: true}",
    )

    router = manager(text).http_filters[1].typed_config
    assert isinstance(router, Router)
    assert router.suppress_envoy_headers


@pytest.mark.parametrize(
    ("keys", "refused"),
    [
        ("overload: {global_downstream_max_connections: 5}", False),
        ("overload.global_downstream_max_connections: 5", False),
        ("upstream: {healthy_panic_threshold: 0}", True),
    ],
)
def test_runtime_values_that_could_matter_are_not_modelled(keys: str, refused: bool) -> None:
    text = f"layered_runtime: {{layers: [{{name: a, static_layer: {{{keys}}}}}]}}"
    if refused:
        with pytest.raises(UnmodelledField, match=r"the runtime value upstream\.healthy_panic_threshold"):
            parse_bootstrap(text)
    else:
        assert parse_bootstrap(text).ignored == ()


def test_a_value_that_is_not_modelled_of_a_field_that_is() -> None:
    with pytest.raises(UnmodelledField, match=r"HttpConnectionManager\.codec_type: HTTP2"):
        parse_bootstrap(BASE.replace("stat_prefix: ingress\n", "stat_prefix: ingress\n          codec_type: http2\n"))


UNMODELLED = {
    "listener_filters: [{name: p, typed_config: {'@type': type.googleapis.com/"
    "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol}}]": "Listener.listener_filters",
    "use_original_dst: true": "Listener.use_original_dst",
    "additional_addresses: [{address: {socket_address: {address: 127.0.0.1, port_value: 1}}}]": "additional_addresses",
}


@pytest.mark.parametrize("line", UNMODELLED)
def test_what_is_not_modelled_is_refused_or_left_out(line: str) -> None:
    text = BASE.replace("  - name: main\n", f"  - name: main\n    {line}\n")

    with pytest.raises(UnmodelledField, match=re.escape(UNMODELLED[line])) as caught:
        parse_bootstrap(text, "envoy.yaml")
    assert "--ignore-unmodelled" in caught.value.remedy
    assert re.match(r"envoy.yaml:\d+: static_resources\.listeners\[0\]\.", caught.value.where)

    bootstrap = parse_bootstrap(text, ignore_unmodelled=True)
    assert len(bootstrap.ignored) == 1
    assert bootstrap.static_resources.listeners[0].name == "main"


def test_a_filter_that_is_chosen_by_a_matcher_is_one_that_envoy_knows() -> None:
    by_header = (
        "          http_filters:\n          - name: chosen\n            typed_config:\n"
        '              "@type": type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher\n'
        "              extension_config: {name: composite, typed_config: "
        "{'@type': type.googleapis.com/envoy.extensions.filters.http.composite.v3.Composite}}\n"
        "              xds_matcher: {matcher_tree: {input: {name: header, typed_config: {header_name: x, "
        "'@type': type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput}}, "
        "exact_match_map: {map: {a: {action: {name: skip, typed_config: {'@type': "
        "type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter}}}}}}}\n"
    )
    with pytest.raises(UnmodelledField, match=r"envoy\.extensions\.common\.matching\.v3\.ExtensionWithMatcher"):
        parse_bootstrap(BASE.replace("          http_filters:\n", by_header))


def test_a_filter_that_is_not_modelled_is_left_out_of_its_chain() -> None:
    grpc_web = (
        "          http_filters:\n          - name: grpc-web\n            typed_config:\n"
        '              "@type": type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb\n'
    )
    text = BASE.replace("          http_filters:\n", grpc_web)

    with pytest.raises(UnmodelledField, match=r"envoy\.extensions\.filters\.http\.grpc_web\.v3\.GrpcWeb"):
        parse_bootstrap(text)
    bootstrap = parse_bootstrap(text, ignore_unmodelled=True)
    filters = bootstrap.static_resources.listeners[0].filter_chains[0].filters[0].typed_config
    assert filters is not None
    assert [item.name for item in filters.http_filters] == ["w", "envoy.filters.http.router"]
    assert bootstrap.ignored[0].endswith("http_filters[0].typed_config")


def test_defaults_that_are_written_out_are_not_held_against_a_bootstrap() -> None:
    text = BASE.replace("  - name: main\n", "  - name: main\n    use_original_dst: false\n    bind_to_port: true\n")

    assert parse_bootstrap(text).ignored == ()


def test_two_listeners_of_one_name_are_not_modelled() -> None:
    listener = "{name: a, address: {socket_address: {address: 127.0.0.1, port_value: %d}}, filter_chains: [{}]}"

    with pytest.raises(UnmodelledField, match="two listeners named 'a'"):
        parse_bootstrap(f"static_resources: {{listeners: [{listener % 1}, {listener % 2}]}}")


# Where a line can be put in, and how far to the right.
_MANAGER, _ROUTE = ("stat_prefix: ingress\n", 10), ('domains: ["*"]\n', 14)
_CLUSTER, _HOST = ("type: STATIC\n", 4), ("port_value: 18081}}}\n", 8)


@pytest.mark.parametrize(
    ("after", "line", "what"),
    [
        (_ROUTE, "response_headers_to_add: [{header: {key: a, value: '%PROTOCOL% %HOSTNAME%'}}]", "%HOSTNAME%"),
        (_MANAGER, "local_reply_config: {body_format: {json_format: {a: ['%CEL(a)%']}}}", "%CEL%"),
        (
            _MANAGER,
            "local_reply_config: {body_format: {text_format_source: {inline_bytes: aGk=}}}",
            "DataSource.inline_bytes of SubstitutionFormatString",
        ),
        (_CLUSTER, "common_http_protocol_options: {max_stream_duration: 1s}", "max_stream_duration of Cluster"),
        (_CLUSTER, "lb_policy: LOAD_BALANCING_POLICY_CONFIG", "Cluster.lb_policy: LOAD_BALANCING_POLICY_CONFIG"),
        (
            _CLUSTER,
            "circuit_breakers: {thresholds: [{retry_budget: {budget_percent: {value: 20}}}]}",
            "Thresholds.retry_budget",
        ),
    ],
)
def test_what_nothing_acts_on_is_not_modelled(after: tuple[str, int], line: str, what: str) -> None:
    with pytest.raises(UnmodelledField, match=re.escape(what)):
        parse_bootstrap(_inserted(after, line))


@pytest.mark.parametrize(
    ("after", "line"),
    [
        (
            _MANAGER,
            "access_log: [{name: f, typed_config: {'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3"
            ".FileAccessLog, path: /x, log_format: {text_format: '%START_TIME%'}}}]",
        ),
        (_MANAGER, "delayed_close_timeout: 1s"),
        (_MANAGER, "common_http_protocol_options: {max_stream_duration: 1s, idle_timeout: 1s}"),
        (_CLUSTER, "lb_policy: LEAST_REQUEST"),
        (_CLUSTER, "circuit_breakers: {thresholds: [{max_retries: 1}]}"),
        (_HOST, "priority: 0"),
    ],
)
def test_what_changes_nothing_is_taken(after: tuple[str, int], line: str) -> None:
    assert parse_bootstrap(_inserted(after, line)).ignored == ()


def _inserted(after: tuple[str, int], line: str) -> str:
    """The classic bootstrap with one more line."""
    anchor, indent = after
    assert BASE.count(anchor) == 1
    return BASE.replace(anchor, f"{anchor}{' ' * indent}{line}\n")
