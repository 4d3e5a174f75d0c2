import pickle
import re

import pytest

from edge_aver import errors
from edge_aver.errors import EdgeAverError, MissingLibraryError

CLASSES = {name: getattr(errors, name) for name in errors.__all__}


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    drawn = dict(_drawn_parents(errors.__doc__))
    assert drawn == {name: kind.__mro__[1].__name__ for name, kind in CLASSES.items() if kind is not EdgeAverError}


def _drawn_parents(drawing):
    """Name and parent of every class drawn, by the depth at which it stands."""
    above = []
    for line in drawing.splitlines():
        if match := re.match(r"(\W*)(\w+Error)\b", line):
            depth = len(match[1]) // 4
            if depth > 1:
                yield match[2], above[depth - 2]
            above[depth - 1 :] = [match[2]]


def test_every_class_of_the_module_is_public_and_an_edge_aver_error():
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert defined == set(errors.__all__)
    assert all(issubclass(kind, EdgeAverError) for kind in CLASSES.values())


def test_only_gates_leave_another_status_than_1():
    drawn = {name: int(status) for name, status in re.findall(r"(\w+Error) \((\d)\)", errors.__doc__)}
    assert drawn == {"EdgeAverError": 1, "ParityError": 3, "VerdictError": 3, "UndecidedError": 4}
    assert {name: kind.exit_status for name, kind in CLASSES.items()} == {name: drawn.get(name, 1) for name in CLASSES}


def test_a_message_is_one_line_whatever_a_library_put_into_it():
    assert str(errors.ExportError("torch said:\n\tno\r\n  way ")) == "torch said: no way"


@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"MissingLibraryError"}))
def test_errors_come_back_from_worker_processes(name):
    error = CLASSES[name]("clip.mp4: got 3, expected 4")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)


def test_a_missing_library_names_the_extra_and_comes_back_whole():
    error = MissingLibraryError("librosa", "reference", "prepare")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is MissingLibraryError
    assert (copy.library, copy.extra, copy.purpose) == ("librosa", "reference", "prepare")
    expected = "prepare needs librosa, which is not installed: pip install 'edge-aver[reference]'"
    assert str(copy) == str(error) == expected


def test_what_a_hostile_file_puts_into_a_message_does_nothing_to_a_terminal():
    told = str(EdgeAverError("a\nname \x1b]0;title\x07 \u202e \ud800 é"))
    assert told == "a name \\x1b]0;title\\x07 \\u202e \\ud800 é"
    assert told.isprintable()
