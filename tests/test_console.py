import io
import time

import pytest
from rich.console import Console

from edge_aver import console


@pytest.fixture
def screen(monkeypatch):
    """Replace the console; gives what was printed."""

    def install(*, terminal):
        file = io.StringIO()
        monkeypatch.setattr(console, "out", Console(file=file, force_terminal=terminal, width=100, highlight=False))
        return file

    return install


def test_off_a_terminal_work_is_a_line_at_the_start_and_at_the_end(screen):
    file = screen(terminal=False)
    with console.progress("Preparing [ravdess]", 4) as advance:
        advance()
        advance(3, note="loss 0.31")
    first, last = file.getvalue().splitlines()
    assert first == "Preparing [ravdess]: 4 to do"
    assert last.startswith("Preparing [ravdess]: 4/4 in ")
    assert last.endswith(" s loss 0.31")


def test_off_a_terminal_long_work_says_how_far_it_is(screen, monkeypatch):
    file = screen(terminal=False)
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    with console.progress("Training", 100) as advance:
        for epoch in range(6):
            advance(note=f"epoch {epoch}")
    lines = file.getvalue().splitlines()
    assert "Training: 2/100 epoch 1" in lines
    assert 3 < len(lines) < 8


def test_interrupted_work_is_not_said_to_be_done(screen):
    file = screen(terminal=False)
    with pytest.raises(KeyboardInterrupt), console.progress("Training", 2):
        raise KeyboardInterrupt
    assert file.getvalue().splitlines() == ["Training: 2 to do"]


def test_on_a_terminal_work_is_a_bar(screen):
    file = screen(terminal=True)
    with console.progress("Preparing [ravdess]", 4) as advance:
        advance(4, note="[done]")
        console.say("a remark [x]")
    shown = file.getvalue()
    assert "━" in shown
    assert "4/4" in shown
    for text in ("Preparing [ravdess]", "[done]", "a remark [x]"):
        assert text in shown


@pytest.mark.parametrize("terminal", [True, False])
def test_work_may_be_part_of_other_work(screen, terminal):
    file = screen(terminal=terminal)
    with console.progress("outer", 1) as outer:
        with console.progress("inner", 2) as inner:
            inner(2)
        outer()
    assert "outer" in file.getvalue()
    assert "inner" in file.getvalue()


def test_remarks_show_brackets_and_are_not_broken(screen):
    file = screen(terminal=False)
    console.say("pip install 'edge-aver[reference]' " + "x" * 200)
    assert file.getvalue() == "pip install 'edge-aver[reference]' " + "x" * 200 + "\n"


def test_remarks_leave_standard_output_to_results(capsys):
    Console.print(console.out, end="")
    assert console.out.stderr
    console.say("a remark")
    assert capsys.readouterr().out == ""
