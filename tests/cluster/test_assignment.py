"""Who gets which job, without any network."""

from edge_aver.cluster.assignment import Assignment

TWO = {"tcp://a:1": "a", "tcp://b:1": "b"}
ONE_MACHINE = {"tcp://a:1": "a", "tcp://a:2": "a"}


def finish(book, given, seconds=1.0):
    for worker, batch in given:
        book.complete(worker, batch, seconds)


def test_a_worker_has_one_long_job_at_a_time():
    book = Assignment(range(10))
    given = book.hand_out(TWO)
    assert given == [("tcp://a:1", (0,)), ("tcp://b:1", (1,))]
    assert book.hand_out(TWO) == []
    finish(book, given[:1])
    assert book.hand_out(TWO) == [("tcp://a:1", (2,))]


def test_short_jobs_travel_together_once_they_are_known_to_be_short():
    book = Assignment(range(1000))
    given = book.hand_out(TWO)
    assert {len(batch) for _, batch in given} == {1}
    finish(book, given, seconds=0.0001)
    given = book.hand_out(TWO)
    assert {len(batch) for _, batch in given} == {64}
    finish(book, given, seconds=640)
    assert {len(batch) for _, batch in book.hand_out(TWO)} == {1}


def test_of_jobs_below_a_second_a_worker_has_the_next_at_hand_after_idle_ones_got_theirs():
    book = Assignment(range(10))
    finish(book, book.hand_out(TWO), seconds=0.3)
    given = book.hand_out(TWO)
    assert given == [("tcp://a:1", (2,)), ("tcp://b:1", (3,))]
    assert book.hand_out(TWO) == [("tcp://a:1", (4,)), ("tcp://b:1", (5,))]
    assert book.hand_out(TWO) == []
    finish(book, given[:1], seconds=0.3)
    assert book.hand_out({**TWO, "tcp://c:1": "c"}) == [("tcp://c:1", (6,)), ("tcp://a:1", (7,))]
    finish(book, [("tcp://a:1", (4,))], seconds=9.0)
    assert book.hand_out(TWO) == [], "they are no longer short"


def test_what_somebody_died_of_is_alone_on_its_worker():
    book = Assignment(range(6))
    finish(book, book.hand_out({"tcp://a:1": "a"}), seconds=0.3)
    for _ in range(2):
        book.hand_out({"tcp://a:1": "a"})
    assert book.bury("tcp://a:1") == []
    assert book.hand_out({"tcp://b:1": "b"}) == [("tcp://b:1", (1,))]
    assert book.hand_out({"tcp://b:1": "b"}) == [], "another suspect waits"
    assert book.bury("tcp://b:1") == [1]
    assert book.hand_out({"tcp://c:1": "c"}) == [("tcp://c:1", (2,))]
    assert book.hand_out({"tcp://c:1": "c"}) == [], "it is a suspect itself"


def test_what_a_dead_worker_had_is_done_elsewhere_and_it_is_not_blamed_for_one_death():
    book = Assignment(range(3))
    given = book.hand_out(TWO)
    rest = {"tcp://b:1": "b"}
    assert book.missing(rest) == ["tcp://a:1"]
    assert book.bury("tcp://a:1") == []
    assert book.missing(rest) == []
    finish(book, given[1:])
    for number in (0, 2):
        again = book.hand_out(rest)
        assert again == [("tcp://b:1", (number,))]
        finish(book, again)
    assert book.finished


def test_a_job_that_two_workers_died_of_is_given_up():
    book = Assignment(range(2))
    for worker, given_up in (("tcp://a:1", []), ("tcp://a:2", [0])):
        assert book.hand_out({worker: "a"}) == [(worker, (0,))]
        assert book.bury(worker) == given_up
    assert book.hand_out({"tcp://a:3": "a"}) == [("tcp://a:3", (1,))]


def test_of_jobs_that_died_together_each_is_tried_alone_and_only_the_guilty_one_is_given_up():
    book = Assignment(range(70))
    finish(book, book.hand_out({"tcp://a:1": "a"}), seconds=0.001)
    ((_, batch),) = book.hand_out({"tcp://a:1": "a"})
    assert len(batch) == 64
    assert book.bury("tcp://a:1") == []
    assert book.hand_out({"tcp://a:2": "a"}) == [("tcp://a:2", batch[:1])]
    assert book.bury("tcp://a:2") == [batch[0]]
    for number in batch[1:]:
        given = book.hand_out({"tcp://a:3": "a"})
        assert given == [("tcp://a:3", (number,))]
        finish(book, given, seconds=0.001)
    finish(book, book.hand_out({"tcp://a:3": "a"}))
    assert book.finished


def test_jobs_that_measure_are_one_at_a_time_on_a_machine():
    book = Assignment(range(4), alone=True)
    given = book.hand_out({**ONE_MACHINE, "tcp://b:1": "b"})
    assert given == [("tcp://a:1", (0,)), ("tcp://b:1", (1,))]
    finish(book, given[:1], seconds=0.001)
    assert book.hand_out({**ONE_MACHINE, "tcp://b:1": "b"}) == [("tcp://a:1", (2,))]
