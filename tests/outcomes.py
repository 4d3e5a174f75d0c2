"""What a command must come to when a person made a mistake."""

import re


def check_error(outcome, status, *words):
    """The outcome is this exit status, nothing on standard output, and one line that says all the words."""
    got, out, err = outcome
    assert (got, out) == (status, "")
    assert re.fullmatch(r"error: [^\n]+\n", err), err
    for word in words:
        assert word in err
