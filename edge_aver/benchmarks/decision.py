"""The three words that a verdict can be."""

from edge_aver.benchmarks.stats import Interval

__all__ = ["FAIL", "INCONCLUSIVE", "PASS", "decide"]

PASS = "PASS"
FAIL = "FAIL"
INCONCLUSIVE = "INCONCLUSIVE"


def decide(ends: Interval, most: float) -> str:
    """PASS where an interval lies within `most`, FAIL where beyond it, else INCONCLUSIVE."""
    if ends.high <= most:
        return PASS
    return FAIL if ends.low > most else INCONCLUSIVE
