import math

import numpy as np
import pytest

from utxoracle.simulation.stream import RandomStream, exp, log


def test_the_same_label_gives_the_same_numbers():
    first, second = RandomStream("a"), RandomStream("a")
    assert first.octets(40) == second.octets(40)
    assert np.array_equal(first.uniform(9), second.uniform(9))


def test_another_label_and_another_draw_give_other_numbers():
    stream = RandomStream("a")
    assert len({stream.octets(16), stream.octets(16), RandomStream("b").octets(16)}) == 3


def test_a_longer_draw_begins_with_a_shorter_one():
    assert np.array_equal(RandomStream("a").normal(5), RandomStream("a").normal(50)[:5])


def test_uniform_numbers_fill_the_unit_interval():
    numbers = RandomStream("a").uniform(100_000)
    assert 0 < numbers.min() < 1e-3
    assert 0.999 < numbers.max() < 1
    assert numbers.mean() == pytest.approx(0.5, abs=0.005)


def test_normal_numbers_have_mean_zero_and_variance_one():
    numbers = RandomStream("a").normal(100_000)
    assert numbers.mean() == pytest.approx(0, abs=0.02)
    assert numbers.std() == pytest.approx(1, abs=0.01)


def test_choices_come_as_often_as_their_weights_say():
    chosen = RandomStream("a").choice(100_000, np.array([1.0, 0.0, 3.0]))
    shares = np.bincount(chosen, minlength=3) / len(chosen)
    assert shares == pytest.approx([0.25, 0, 0.75], abs=0.01)


def test_exp_and_log_agree_with_the_library_to_a_few_ulps():
    for x in (-40.0, -1.0, -1e-9, 0.0, 1e-9, 0.5, 1.0, 11.0, 60.0):
        assert float(exp(np.array([x]))[0]) == pytest.approx(math.exp(x), rel=1e-14)
    for x in (2.0**-33, 1e-5, 0.5, 0.999, 1.0, 3.0, 1e12):
        assert float(log(np.array([x]))[0]) == pytest.approx(math.log(x), rel=1e-14, abs=1e-15)
