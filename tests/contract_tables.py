"""The contract of a bundle as its readers take it: the tables of its text, and the commands that it shows."""

import re
from fractions import Fraction


def contract_tables(text):
    """Rows of cells of every table, by the first cell of its header; of a second such table by the first two."""
    found = {}
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        name = header[0] if header[0] not in found else f"{header[0]} of {header[1]}"
        assert name not in found, name
        assert all(len(row) == len(header) for row in rows)
        found[name] = rows
    return found


def sentences(text):
    """The text without tables, code and formulas."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return re.sub(r"^\|.*\|$|^    .*$|`[^`\n]*`", "", text, flags=re.MULTILINE)


def commands(text):
    """The shell commands of its blocks, one script a block."""
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def pairs(rows):
    """First and second cell of every row."""
    return {row[0]: row[1] for row in rows}


def number(cell):
    """One number of a cell or sentence: 1,000 or 1/36."""
    return float(Fraction(cell.replace(",", "")))


def numbers(cell):
    """Numbers with a comma and a space between them."""
    return tuple(map(number, cell.split(", ")))


def told_member(name, rows):
    """Whether a member of a bundle is one of the table's."""
    patterns = (re.escape(row[0].strip("`")).replace(r"\*", "[^/]*") for row in rows)
    return any(re.fullmatch(pattern, name) for pattern in patterns)
