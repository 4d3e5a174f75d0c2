"""Who gets which job, without any network."""

from edge_aver.cluster.assignment import Assignment

TWO = {"tcp://a:1": "a", "tcp://b:1": "b"}
ONE_MACHINE = {"tcp://a:1": "a", "tcp://a:2": "a"}


def finish(book, given, seconds=1.0):
    for worker, batch in given:
        book.complete(worker, batch, seconds)


def test_a_worker_has_one_long_job_that_runs_and_one_that_waits():
    book = Assignment(range(10))
    first = book.hand_out(TWO)
    assert [batch for _, batch in first] == [(0,), (1,), (2,), (3,)]
    assert [worker for worker, _ in first] == ["tcp://a:1", "tcp://b:1"] * 2
    assert book.hand_out(TWO) == []
    finish(book, first[:1])
    assert book.hand_out(TWO) == [("tcp://a:1", (4,))]


def test_short_jobs_travel_together_once_they_are_known_to_be_short():
    book = Assignment(range(1000))
    given = book.hand_out(TWO)
    assert {len(batch) for _, batch in given} == {1}
    finish(book, given, seconds=0.0001)
    assert {len(batch) for _, batch in book.hand_out(TWO)} == {64}


def test_what_a_dead_worker_had_is_done_elsewhere_and_nobody_is_blamed_for_one_death():
    book = Assignment(range(4))
    given = book.hand_out(TWO)
    rest = {"tcp://b:1": "b"}
    assert book.missing(rest) == ["tcp://a:1"]
    assert book.bury("tcp://a:1") == []
    finish(book, given[1::2])
    alone = book.hand_out(rest)
    assert alone == [("tcp://b:1", (0,))]
    finish(book, alone)
    again = book.hand_out(rest)
    assert again == [("tcp://b:1", (2,))]
    finish(book, again)
    assert book.finished


def test_the_job_that_kills_a_second_worker_alone_is_given_up_and_its_neighbour_is_not():
    book = Assignment(range(2))
    workers = {"tcp://a:1": "a"}
    assert book.hand_out(workers) == [("tcp://a:1", (0,)), ("tcp://a:1", (1,))]
    assert book.bury("tcp://a:1") == []
    workers = {"tcp://a:2": "a"}
    assert book.hand_out(workers) == [("tcp://a:2", (0,))]
    assert book.bury("tcp://a:2") == [0]
    workers = {"tcp://a:3": "a"}
    given = book.hand_out(workers)
    assert given == [("tcp://a:3", (1,))]
    finish(book, given)
    assert book.finished


def test_jobs_that_measure_are_one_at_a_time_on_a_machine():
    book = Assignment(range(4), alone=True)
    given = book.hand_out({**ONE_MACHINE, "tcp://b:1": "b"})
    assert given == [("tcp://a:1", (0,)), ("tcp://b:1", (1,))]
    finish(book, given[:1], seconds=0.001)
    assert book.hand_out({**ONE_MACHINE, "tcp://b:1": "b"}) == [("tcp://a:1", (2,))]
