"""Work on all cores: order, and that a dying worker costs one input."""

import os

import pytest

from lianpu.data import pool


def square(x):
    return x * x


def die_on_three(x):
    if x == 3:
        os._exit(9)
    return x


def fail_on_two(x):
    if x == 2:
        raise ValueError("two")
    return x


def lost(x):
    return f"lost {x}"


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers):
    assert list(pool.each(square, range(30), lost, workers)) == [x * x for x in range(30)]
    assert list(pool.each(square, [], lost, workers)) == []


def test_a_dead_worker_costs_its_own_input_only():
    assert list(pool.each(die_on_three, range(6), lost, 2)) == [0, 1, 2, "lost 3", 4, 5]


def test_an_exception_arrives():
    with pytest.raises(ValueError, match="two"):
        list(pool.each(fail_on_two, range(6), lost, 2))
