"""Express: requests whose course is known are served without the stream model.

Theory of operation. A proxy gets the same request a hundred thousand times. What the stream model does with it is the
same every time, as long as the modules do the same; only these are code of somebody else's. So the course of a
request is found out once, by a *rehearsal* in the stream model itself, and kept as a tree of *moments*: the modules
are shown headers, a request leaves for a host, the response is over. A *lane* lets later requests of the same shape
walk this tree. At each moment the real modules run in the real VMs, and what they leave of a message is looked up.
A doing that is new is rehearsed; a module that wants more (to pause, to answer, to look at its stream) makes its
request *leave* the lane, and the stream model goes on from there.

Nothing that a request does on a lane can be told from what it does in the stream model: time, statistics, rows,
responses and all that modules see are the same. Above all, no rule of Envoy is written here: there is only one model.

Which host a request goes to, and whether circuit breakers let it, each passage decides for itself where it is sent; how
its host has answered it tells the outlier detection.

Not on a lane: at level ``abi`` (every call is an event there), with hand-overs at host calls, and what depends on more
than the request itself (chance, hashes, formats that tell the time, access loggers, limits of a connection's age).
"""

from meshsim.envoy.express.network import Express

__all__ = ["Express"]
