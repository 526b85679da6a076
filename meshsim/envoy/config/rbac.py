"""The RBAC filter, ``envoy.extensions.filters.http.rbac.v3``: who may do what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from meshsim.envoy.config.base import Message
from meshsim.envoy.config.matcher import HeaderMatcher, StringMatcher

_RULES = "envoy.config.rbac.v3"
_FILTER = "envoy.extensions.filters.http.rbac.v3"


class PathMatcher(Message):
    """A condition on the path without its query."""

    proto = "envoy.type.matcher.v3.PathMatcher"
    path: StringMatcher | None = None


class Permissions(Message):
    """Several permissions, all or one of which have to fit."""

    proto = f"{_RULES}.Permission.Set"
    rules: tuple[Permission, ...] = ()


class Permission(Message):
    """What is done: one of these."""

    proto = f"{_RULES}.Permission"
    and_rules: Permissions | None = None
    or_rules: Permissions | None = None
    any: bool | None = None
    header: HeaderMatcher | None = None
    url_path: PathMatcher | None = None
    destination_port: int | None = None
    not_rule: Permission | None = None


class Principals(Message):
    """Several principals, all or one of which have to fit."""

    proto = f"{_RULES}.Principal.Set"
    ids: tuple[Principal, ...] = ()


class Principal(Message):
    """Who does it: one of these."""

    proto = f"{_RULES}.Principal"
    and_ids: Principals | None = None
    or_ids: Principals | None = None
    any: bool | None = None
    header: HeaderMatcher | None = None
    url_path: PathMatcher | None = None
    not_id: Principal | None = None


class Policy(Message):
    """A policy fits when one of its permissions and one of its principals do."""

    proto = f"{_RULES}.Policy"
    permissions: tuple[Permission, ...] = ()
    principals: tuple[Principal, ...] = ()


class Rules(Message):
    """What becomes of a request that a policy fits, and of one that none does."""

    proto = f"{_RULES}.RBAC"
    action: Literal["ALLOW", "DENY", "LOG"] = "ALLOW"
    policies: dict[str, Policy] = Field(default_factory=dict)


class Rbac(Message):
    """The filter."""

    proto = f"{_FILTER}.RBAC"
    rules: Rules | None = None


class RbacPerRoute(Message):
    """What a route wants instead; nothing is no rules."""

    proto = f"{_FILTER}.RBACPerRoute"
    rbac: Rbac | None = None
