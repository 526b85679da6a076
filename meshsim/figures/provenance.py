"""Where a number comes from: one mark and one colour for each origin, wherever numbers are shown."""

from __future__ import annotations

from enum import Enum


class Origin(Enum):
    """Where a number comes from; the value is its name in style sheets and JSON."""

    COUNTED = "counted"
    PROFILE = "profile"
    MEASURED = "measured"
    ENVOY = "envoy"

    @property
    def mark(self) -> str:
        """The mark, told apart by shape."""
        return _MARKS[self][0]

    @property
    def ascii_mark(self) -> str:
        """The mark where only ASCII can be shown."""
        return _MARKS[self][1]

    @property
    def colour(self) -> str:
        """Its colour on a terminal."""
        return _MARKS[self][2]

    def words(self, profile: str = "", version: str = "") -> str:
        """What it means, in words.

        Parameters
        ----------
        profile : str
            Name of the cost profile.
        version : str
            Version of the real Envoy.

        Examples
        --------
        >>> Origin.ENVOY.words(version="1.40.0")
        'read from the real Envoy 1.40.0, here and now'
        """
        return _WORDS[self].format(profile=profile, version=version)


_MARKS = {
    Origin.COUNTED: ("\N{WHITE CIRCLE}", "o", "green"),
    Origin.PROFILE: ("\N{WHITE DIAMOND}", "<>", "blue"),
    Origin.MEASURED: ("\N{BLACK CIRCLE}", "*", "magenta"),
    Origin.ENVOY: ("\N{BLACK UP-POINTING TRIANGLE}", "^", "yellow"),
}
_WORDS = {
    Origin.COUNTED: "counted in the simulation: exact, the same in every run",
    Origin.PROFILE: "virtual time, or V8's memory, by the cost profile {profile!r}",
    Origin.MEASURED: "measured here and now, with this machine's clock",
    Origin.ENVOY: "read from the real Envoy {version}, here and now",
}
