import json

import torch
from torch import nn, optim

from include.models.deep.checkpoint import Standing, pack, unpack


def made(seed):
    torch.manual_seed(seed)
    network = nn.Linear(3, 2)
    return network, optim.AdamW(network.parameters(), lr=0.1)


def step(network, optimizer):
    optimizer.zero_grad()
    network(torch.randn(4, 3)).square().sum().backward()
    optimizer.step()


def test_a_checkpoint_holds_all_that_the_next_step_depends_on():
    network, optimizer = made(0)
    step(network, optimizer)
    standing = Standing(epoch=3, best_epoch=2, best_loss=0.1, best={"weight": torch.ones(2, 3)})
    state = pack("this fit", standing, network, optimizer)
    other, others = made(1)
    found = unpack(state, "this fit", other, others)
    assert (found.epoch, found.best_epoch, found.best_loss) == (3, 2, 0.1)
    assert found.best["weight"].tolist() == [[1.0] * 3] * 2
    step(other, others)
    unpack(state, "this fit", *made(2))  # the random state again
    step(network, optimizer)
    assert torch.equal(network.weight, other.weight)


def test_a_checkpoint_of_another_fit_changes_nothing():
    state = pack("that fit", Standing(epoch=3), *made(0))
    network, optimizer = made(1)
    before = network.weight.clone()
    assert unpack(state, "this fit", network, optimizer) is None
    assert torch.equal(network.weight, before)


def test_it_is_tensors_and_text_only():
    state = pack("this fit", Standing(), *made(0))
    length = int.from_bytes(state[:8], "little")
    assert json.loads(state[8 : 8 + length])["__metadata__"]["fit"] == "this fit"
