"""Numbers as people read them; storage keeps seconds, bytes and rates."""

__all__ = ["NOT_MEASURED", "megabytes", "millions", "milliseconds", "percent", "points"]

NOT_MEASURED = "not measured"


def percent(rate: float | None) -> str:
    """A rate in [0, 1] as a percentage with one decimal."""
    return NOT_MEASURED if rate is None else f"{100 * rate:.1f}"


def points(difference: float) -> str:
    """A difference of rates in percentage points, signed, with two decimals."""
    return f"{100 * difference:+.2f}"


def milliseconds(value_s: float | None) -> str:
    """Seconds as milliseconds, with about three digits."""
    if value_s is None:
        return NOT_MEASURED
    value = 1e3 * value_s
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def megabytes(value_bytes: int | None) -> str:
    """Bytes as MB of 10^6 bytes, with one decimal below 100."""
    if value_bytes is None:
        return NOT_MEASURED
    value = value_bytes / 1e6
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def millions(count: int | None) -> str:
    """A count in millions, with two decimals."""
    return NOT_MEASURED if count is None else f"{count / 1e6:.2f}"
