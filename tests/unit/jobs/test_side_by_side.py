from threading import Barrier, Event

from utxoracle.jobs.side_by_side import side_by_side


def test_answers_come_in_the_order_of_the_questions_and_failures_among_them():
    error = ValueError("no")

    def fail():
        raise error

    assert side_by_side([lambda: 1, fail, lambda: 0, lambda: None], 20) == [1, error, 0, None]
    assert side_by_side([], 20) == []


def test_all_are_asked_at_once():
    all_there = Barrier(8, timeout=20)
    assert sorted(side_by_side([all_there.wait] * 8, 20)) == [*range(8)]


def test_what_hangs_is_not_waited_for():
    never = Event()
    hung, answer = side_by_side([never.wait, lambda: "here"], 1)
    assert isinstance(hung, TimeoutError)
    assert answer == "here"
    never.set()
