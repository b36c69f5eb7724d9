from include.foundation.problem.plots import spread


def test_an_axis_has_a_length():
    assert spread(1.0, 3.0) == (1.0, 3.0)
    assert spread(2.0, 2.0) == (1.5, 2.5)
