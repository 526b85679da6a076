"""HTTP callouts of modules: Envoy's asynchronous client, a router without filters around it.

What goes wrong upstream becomes a response, as for a client: refused connections give 503, a time-out 504. Only an
answer that breaks off is no answer at all.
"""

from __future__ import annotations

from collections.abc import Callable

from meshsim.abi.callouts import Cancel, Done, HttpAnswer
from meshsim.envoy.account import Account
from meshsim.envoy.address import Address
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.cluster import Cluster
from meshsim.envoy.headers import HeaderMap, as_number
from meshsim.envoy.local_reply import LocalReply, is_grpc
from meshsim.envoy.upstream import Upstream, UpstreamFailure


class HttpCallout:
    """One request of a module's or a script's, sent to a cluster.

    ``forwarded_for`` is the proxy's address, if told; ``account`` is charged for it.
    """

    def __init__(
        self,
        cluster: Cluster,
        headers: HeaderMap,
        now_ns: Callable[[], int],
        done: Done,
        forwarded_for: bytes | None = None,
        account: Account | None = None,
    ) -> None:
        self._cluster = cluster
        self._headers = headers
        self._now_ns = now_ns
        self._done = done
        self._forwarded_for = forwarded_for
        self._account = account
        self._upstream: Upstream | None = None
        self._answer_headers: HeaderMap | None = None
        self._body = bytearray()
        self._sent_ns = 0
        self.over = False

    def send(self, body: bytes, timeout_ns: int) -> Cancel | None:
        """Send it, and return what cancels it; None when it is over at once. Envoy's client sends no trailers."""
        headers = self._headers
        headers.put(b"x-envoy-internal", b"true")
        if self._forwarded_for is not None:
            before = headers.get(b"x-forwarded-for")
            headers.put(b"x-forwarded-for", b",".join(filter(None, (before, self._forwarded_for))))
        if timeout_ns:
            headers.put(b"x-envoy-expected-rq-timeout-ms", b"%d" % (timeout_ns // 1_000_000))
        self._upstream = self._cluster.request(self, headers.copy(), not body, timeout_ns, account=self._account)
        if self._upstream and body:
            self._upstream.send_data(body, True)
        self._sent_ns = self._now_ns()
        return None if self.over else self.cancel

    def cancel(self) -> None:
        """Leave; nobody wants the answer any more."""
        self.over = True
        if self._upstream:
            self._upstream.cancel()
        self._close(0)

    # -- the upstream's answer ---

    def upstream_chosen(self, address: Address) -> None:
        """Nothing depends on the host."""

    def upstream_connected(self) -> None:
        """Nothing depends on the connection."""

    def upstream_informational(self, status: int) -> None:
        """Nobody waits for a word before the answer."""

    def upstream_headers(self, headers: HeaderMap, end: bool) -> None:
        """Take the headers."""
        self._cluster.count_answer(as_number(headers.get(b":status")) or 0)
        elapsed_ms = (self._now_ns() - self._sent_ns) // 1_000_000
        headers.put(b"x-envoy-upstream-service-time", b"%d" % elapsed_ms)
        self._answer_headers = headers
        if end:
            self._finish(None)

    def upstream_data(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the body."""
        self._body += data.data
        if end:
            self._finish(None)

    def upstream_trailers(self, trailers: HeaderMap) -> None:
        """Take the trailers."""
        self._finish(trailers)

    def upstream_failed(self, failure: UpstreamFailure) -> None:
        """Answer for an upstream that did not, as the router does."""
        if self._account is not None:
            self._account.flags = failure.flag
        if self._answer_headers is not None:
            self.over = True
            self._close(0)
            self._done(None)
            return
        self._cluster.count_failure(failure)
        edit = _tell_overload if failure.overload else None
        reply = LocalReply(failure.status, failure.body, failure.details, edit=edit, flag=failure.flag)
        head = self._headers.get(b":method") == b"HEAD"
        self._answer_headers, body = reply.compose(grpc=is_grpc(self._headers), head=head)
        self._body = bytearray(b"" if head else body)
        self._finish(None)

    def _finish(self, trailers: HeaderMap | None) -> None:
        assert self._answer_headers is not None
        if not self.over:
            self.over = True
            self._close(as_number(self._answer_headers.get(b":status")) or 0)
            self._done(HttpAnswer(self._answer_headers, bytes(self._body), trailers))

    def _close(self, status: int) -> None:
        """Close the account, once."""
        account, self._account = self._account, None
        if account is not None:
            account.close(status, len(self._body))


def _tell_overload(headers: HeaderMap) -> None:
    headers.add(b"x-envoy-overloaded", b"true")
