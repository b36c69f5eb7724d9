import pytest
import torch

from include.models.deep.layers import Shape, build, sensitivity
from include.models.deep.settings import Settings

NAN = float("nan")


def network(**change):
    shape = {"width": 3, "categories": {1: 2}, "classes": 1, "problem": "binary", "image": None, **change}
    torch.manual_seed(0)
    return build(Shape(**shape), Settings(hidden=8)).eval()


def test_what_training_never_saw_and_nothing_at_all_have_answers():
    one = network()
    rows = torch.tensor([[0.5, 0.0, 1.0], [NAN, NAN, NAN], [1e30, 7.0, -1e30]])
    one.learn_scale(rows[:1], torch.zeros(1))
    answers = one(rows)
    assert answers.shape == (3,)
    assert ((answers > 0) & (answers < 1)).all()


def test_numbers_are_standardised_by_what_is_known_of_them():
    one = network()
    one.learn_scale(torch.tensor([[1.0, 0.0, 5.0], [3.0, 1.0, NAN], [NAN, 0.0, 5.0]]), torch.zeros(3))
    assert one.network.mean.tolist() == [2.0, 5.0]
    assert one.network.deviation.tolist() == [1.0, 1.0]


def test_a_quantity_is_told_in_its_own_unit():
    one = network(problem="regression")
    labels = torch.tensor([90.0, 110.0])
    one.learn_scale(torch.zeros(2, 3), labels)
    assert (one.offset.item(), one.scale.item()) == (100.0, 10.0)
    assert one(torch.zeros(4, 3)).shape == (4,)
    assert one.loss(torch.tensor([[-1.0], [1.0]]), labels).item() == pytest.approx(0)


def test_an_image_has_a_probability_for_each_class():
    one = network(width=16, categories={}, classes=4, problem="multiclass", image=(4, 4))
    one.learn_scale(torch.rand(5, 16), torch.zeros(5))
    rows = torch.rand(6, 16)
    rows[0, 3] = NAN
    answers = one(rows)
    assert answers.shape == (6, 4)
    torch.testing.assert_close(answers.sum(1), torch.ones(6))


def test_a_column_that_is_not_used_moves_no_answer():
    one = network(categories={})
    first = one.network.dense[0].weight.data
    first[:, [2, 5]] = 0  # the third number, and its flag
    shares = sensitivity(one, torch.randn(50, 3))
    assert shares[2] == 0
    assert sum(shares) == pytest.approx(1)
