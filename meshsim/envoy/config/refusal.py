"""A configuration that Envoy refuses, and its words in a form that can be compared.

Envoy's words differ from run to run: spaces are doubled at random, messages are dumped under a random headline, JSON is
dumped in hash order with the offset of the error in it. :func:`normal_refusal` takes all that away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meshsim.errors import ConfigError, MeshsimError

if TYPE_CHECKING:
    from meshsim.envoy.config.bootstrap import Bootstrap

_SUBSTITUTIONS = (
    # The start-up of a server and --mode validate wrap the same reason in different lines.
    (re.compile(r"^error initializing configuration '[^']*': "), ""),
    (re.compile(r"^error `(.*)` initializing config '.*'$", re.DOTALL), r"\1"),
    # A dump of a message, before the reason...
    (re.compile(r"^goo\.gle/debug\w+\s.*: (?=Proto constraint validation failed)", re.DOTALL), ""),
    # ...in the middle of it, or at its end.
    (re.compile(r":? ?goo\.gle/debug\w+\s.*?(?=\. Consider |\Z)", re.DOTALL), ""),
    (re.compile(r"\): [\[{].*\Z", re.DOTALL), ")"),
    (re.compile(r"near\s+\d+:\d+\s+\(offset\s+\d+\)"), "near"),
    (re.compile(r"[ \t]+"), " "),
)


def normal_refusal(text: str) -> str:
    r"""Return the reason in one of Envoy's refusals, without what changes from run to run.

    Parameters
    ----------
    text : str
        The text of a log line, or of what Envoy prints when it ends.

    Examples
    --------
    >>> normal_refusal("error initializing configuration 'a.yaml': Invalid duration: Expected positive duration: "
    ...                "goo.gle/debugonly  \nseconds: -1")
    'Invalid duration: Expected positive duration'
    """
    text = text.strip()
    for pattern, replacement in _SUBSTITUTIONS:
        text = pattern.sub(replacement, text)
    return text.strip()


class ConfigRefused(ConfigError):
    """Envoy itself refuses the configuration.

    Attributes
    ----------
    envoy_says : str
        Envoy's words, as :func:`normal_refusal` returns them.
    after_plugins : int
        How many Wasm plugins Envoy has created when it comes to what it refuses, counted in the order of listeners,
        filter chains and HTTP filters. Their callbacks run, though the configuration is refused.
    bootstrap : Bootstrap or None
        The configuration, when it could be modelled at all.

    Parameters
    ----------
    cause : MeshsimError, optional
        What Envoy does not say: the trap in a module that it refuses for it.
    """

    def __init__(
        self,
        envoy_says: str,
        reason: str = "",
        where: str = "",
        *,
        after_plugins: int = 0,
        bootstrap: Bootstrap | None = None,
        cause: MeshsimError | None = None,
    ) -> None:
        because = f" ({cause.where}: {cause.what})" if cause else ""
        super().__init__(
            f"Envoy refuses this: {reason or envoy_says}{because}",
            where,
            "" if not reason or reason == envoy_says else f"Envoy says: {envoy_says}",
        )
        self.envoy_says = envoy_says
        self.after_plugins = after_plugins
        self.bootstrap = bootstrap
