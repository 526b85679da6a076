"""Durations and timestamps of the Common Expression Language: their texts and their parts.

Texts are read as Abseil reads them (Envoy's evaluator is built on it), in years beyond those of Python's calendar too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from meshsim.abi.foreign.cel.values import CelError, Duration, Timestamp
from meshsim.errors import NotModelled

SECOND = 1_000_000_000
_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
_DURATION = re.compile(r"([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|ms|s|m|h))+)", re.ASCII)
_PART = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|ms|s|m|h)", re.ASCII)
#: The language's bound of a duration: ten thousand years.
_LIMIT = 315_576_000_000 * SECOND
_TIMESTAMP = re.compile(
    r"(-?\d+)-(\d\d?)-(\d\d?)T(\d\d?):(\d\d?):(\d\d?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)
_OFFSET = re.compile(r"([+-]?)(\d\d):(\d\d)", re.ASCII)
_DAY = 86_400
#: The Gregorian calendar repeats after so many years and days.
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097
_EPOCH = date(1970, 1, 1).toordinal()
_MAX_DIGITS = 20


def parse_duration(text: str) -> Duration:
    """Read ``1h30m``, ``-1.5s``, ``0``.

    Examples
    --------
    >>> parse_duration("1h0.5s").ns
    3600500000000
    """
    endless = {"inf": 1, "+inf": 1, "-inf": -1}.get(text)
    if endless:
        raise CelError(_out_of_range("inf" if endless > 0 else "-inf", endless < 0))
    match = _DURATION.fullmatch(text)
    if match is None:
        if text in ("0", "+0", "-0"):
            return Duration(0)
        raise CelError("String to Duration conversion failed")
    ns = sum(_part(*part) for part in _PART.findall(match.group(2)))
    duration = Duration(-ns if match.group(1) == "-" else ns)
    if abs(duration.ns) > _LIMIT:
        raise CelError(_out_of_range(_clock_text(duration), duration.ns < 0))
    return duration


def _part(whole: str, fraction: str, unit: str) -> int:
    scale = _UNITS[unit]
    if len(whole.lstrip("0")) > _MAX_DIGITS:
        raise CelError("String to Duration conversion failed")
    digits = fraction[:_MAX_DIGITS]
    return int(whole or "0") * scale + int(digits or "0") * scale // int("1" + "0" * len(digits))


def _out_of_range(text: str, low: bool) -> str:
    side, sign = ("below minimum", "-") if low else ("above maximum", "")
    return f'Duration "{text}" {side} allowed duration "{sign}87660000h0.999999999s"'


def _clock_text(duration: Duration) -> str:
    """Write a duration of more than a second in hours, minutes and seconds."""
    seconds, ns = divmod(abs(duration.ns), SECOND)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    fraction = f".{ns:09d}".rstrip("0").rstrip(".")
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else ""]
    parts.append(f"{seconds}{fraction}s" if seconds or fraction else "")
    return ("-" if duration.ns < 0 else "") + "".join(parts)


def _fraction(ns: int) -> str:
    """Write a fraction of a second with three, six or nine digits, or none."""
    digits = f"{ns:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f".{digits}" if digits else ""


def format_duration(value: Duration) -> str:
    """Write a duration in seconds, as JSON does.

    Examples
    --------
    >>> format_duration(Duration(-1_500_000_000))
    '-1.500s'
    """
    seconds, ns = divmod(abs(value.ns), SECOND)
    return f"{'-' if value.ns < 0 else ''}{seconds}{_fraction(ns)}s"


def parse_timestamp(text: str) -> Timestamp:
    """Read a time as RFC 3339 writes it.

    Examples
    --------
    >>> parse_timestamp("1970-01-01T01:00:00.5+01:00").ns
    500000000
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None or len(match.group(1)) > _MAX_DIGITS:
        raise CelError("String to Timestamp conversion failed")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    cycle, year_in = divmod(year, _CYCLE_YEARS)
    try:
        days = date(year_in + _CYCLE_YEARS, month, day).toordinal() + (cycle - 1) * _CYCLE_DAYS - _EPOCH
    except ValueError:
        raise CelError("String to Timestamp conversion failed") from None
    if hour > 23 or minute > 59 or second > 60:
        raise CelError("String to Timestamp conversion failed")
    zone = match.group(8)
    offset = 0 if zone in "Zz" else _offset_s(zone)
    seconds = days * _DAY + hour * 3600 + minute * 60 + second - offset
    return Timestamp(seconds * SECOND + int((match.group(7) or "0")[:9].ljust(9, "0")))


def _offset_s(zone: str) -> int:
    match = _OFFSET.fullmatch(zone)
    if match is None:
        raise NotModelled(f"time zone {zone!r} in an expression (UTC and offsets are)")
    sign = -1 if match.group(1) == "-" else 1
    return sign * (int(match.group(2)) * 3600 + int(match.group(3)) * 60)


def _civil(value: Timestamp) -> tuple[int, date, int, int]:
    """Give the year, a date that shares month, day and weekday with it, seconds of the day, and ns of the second."""
    seconds, ns = divmod(value.ns, SECOND)
    days, second = divmod(seconds, _DAY)
    cycle, rest = divmod(days + _EPOCH - 1, _CYCLE_DAYS)
    when = date.fromordinal(rest + 1)
    return when.year + cycle * _CYCLE_YEARS, when, second, ns


def format_timestamp(value: Timestamp) -> str:
    """Write a time as RFC 3339 does, in UTC.

    Examples
    --------
    >>> format_timestamp(Timestamp(1_500_000))
    '1970-01-01T00:00:00.001500Z'
    """
    year, when, second, ns = _civil(value)
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    return f"{year:04d}-{when.month:02d}-{when.day:02d}T{clock}{_fraction(ns)}Z"


#: Parts of a timestamp, by the method that gives them. Months and days count from 0, as in the specification.
PARTS: dict[str, Callable[[Timestamp], int]] = {
    "getFullYear": lambda when: _civil(when)[0],
    "getMonth": lambda when: _civil(when)[1].month - 1,
    "getDate": lambda when: _civil(when)[1].day,
    "getDayOfMonth": lambda when: _civil(when)[1].day - 1,
    "getDayOfWeek": lambda when: _civil(when)[1].isoweekday() % 7,
    "getDayOfYear": lambda when: _civil(when)[1].timetuple().tm_yday - 1,
    "getHours": lambda when: _civil(when)[2] // 3600,
    "getMinutes": lambda when: _civil(when)[2] // 60 % 60,
    "getSeconds": lambda when: _civil(when)[2] % 60,
    "getMilliseconds": lambda when: _civil(when)[3] // 1_000_000,
}


def _whole(ns: int, unit: int) -> int:
    """Divide towards zero."""
    return ns // unit if ns >= 0 else -(-ns // unit)


#: Parts of a duration: all of it in a unit, but milliseconds, which are those of its last second.
DURATION_PARTS: dict[str, Callable[[Duration], int]] = {
    "getHours": lambda value: _whole(value.ns, 3600 * SECOND),
    "getMinutes": lambda value: _whole(value.ns, 60 * SECOND),
    "getSeconds": lambda value: _whole(value.ns, SECOND),
    "getMilliseconds": lambda value: _whole(value.ns, 1_000_000) - 1000 * _whole(value.ns, SECOND),
}


def in_zone(when: Timestamp, zone: str) -> Timestamp:
    """Move a time so that its parts are those of a zone: none, ``UTC``, or an offset like ``-02:30``."""
    return when if zone in ("", "UTC") else Timestamp(when.ns + _offset_s(zone) * SECOND)
