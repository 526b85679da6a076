"""The RBAC filter: a request that the rules do not allow is answered with 403."""

from __future__ import annotations

from dataclasses import dataclass

from meshsim.abi.constants import HeadersAction
from meshsim.envoy.config.rbac import PathMatcher, Permission, Policy, Principal, Rbac, RbacPerRoute, Rules
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.local_reply import LocalReply
from meshsim.envoy.routing import header_matches
from meshsim.envoy.stats import Counters
from meshsim.envoy.thread_host import ThreadHost

_DENIED = b"RBAC: access denied"


@dataclass(frozen=True, eq=False, slots=True)
class RbacUse:
    """An RBAC filter in a chain, by its name in the configuration."""

    name: str
    config: Rbac
    stats: Counters

    def on_stream(self, host: ThreadHost) -> HttpFilter:
        """Make the filter for a stream on a worker."""
        host.thread.spend(host.process.costs.native_filter_ns)
        return RbacFilter(self)


class RbacFilter(HttpFilter):
    """The filter on one stream."""

    def __init__(self, use: RbacUse) -> None:
        self._use = use

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Let pass what is allowed."""
        rules = self._rules()
        if rules is None:
            return HeadersAction.CONTINUE
        policy = self._fitting(rules, headers)
        allowed = (policy is not None) == (rules.action == "ALLOW")
        self._use.stats.add("allowed" if allowed else "denied")
        if allowed:
            return HeadersAction.CONTINUE
        details = f"rbac_access_denied_matched_policy[{policy or 'none'}]".replace(" ", "_")
        self.stream.reply(LocalReply(403, _DENIED, details))
        return HeadersAction.STOP_ITERATION

    def _rules(self) -> Rules | None:
        match = self.stream.take_route()
        own = match.own_config(self._use.name) if match else None
        config = own.rbac if isinstance(own, RbacPerRoute) else self._use.config
        return config.rules if config else None

    def _fitting(self, rules: Rules, headers: HeaderMap) -> str | None:
        """Return the first policy, by name, that fits."""
        return next((name for name in sorted(rules.policies) if self._fits(rules.policies[name], headers)), None)

    def _fits(self, policy: Policy, headers: HeaderMap) -> bool:
        done = any(self._permits(permission, headers) for permission in policy.permissions)
        return done and any(_is(principal, headers) for principal in policy.principals)

    def _permits(self, permission: Permission, headers: HeaderMap) -> bool:
        if permission.and_rules is not None:
            return all(self._permits(rule, headers) for rule in permission.and_rules.rules)
        if permission.or_rules is not None:
            return any(self._permits(rule, headers) for rule in permission.or_rules.rules)
        if permission.not_rule is not None:
            return not self._permits(permission.not_rule, headers)
        if permission.destination_port is not None:
            return self.stream.info.destination[1] == permission.destination_port
        return _fits_headers(permission, headers)


def _is(principal: Principal, headers: HeaderMap) -> bool:
    if principal.and_ids is not None:
        return all(_is(one, headers) for one in principal.and_ids.ids)
    if principal.or_ids is not None:
        return any(_is(one, headers) for one in principal.or_ids.ids)
    if principal.not_id is not None:
        return not _is(principal.not_id, headers)
    return _fits_headers(principal, headers)


def _fits_headers(condition: Permission | Principal, headers: HeaderMap) -> bool:
    if condition.header is not None:
        return header_matches(condition.header, headers)
    if condition.url_path is not None:
        return _has_path(condition.url_path, headers)
    return bool(condition.any)


def _has_path(matcher: PathMatcher, headers: HeaderMap) -> bool:
    target = (headers.get(b":path") or b"").decode("utf-8", "surrogateescape")
    path = target.partition("#")[0].partition("?")[0]
    return bool(target) and matcher.path is not None and matcher.path.matches(path)
