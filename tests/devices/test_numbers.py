"""In float64 a device computes what the CPU does; on a real one, where there is one."""

from __future__ import annotations

import copy

import pytest
import torch
from support.fake_device import NAME, fake_gpu

import recbole_delta
from recbole_delta.config.run_config import RunConfig
from recbole_delta.embedding import EMBEDDINGS
from recbole_delta.evaluator.evaluate import MODES, evaluate_modes
from recbole_delta.loss import LOSSES
from recbole_delta.model import BACKBONES
from recbole_delta.quick_start.build import make_parts
from recbole_delta.trainer.row_adam import RowAdam

needs_cuda = (
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no NVIDIA GPU here"),
)
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(params=[NAME, pytest.param("cuda", marks=needs_cuda)])
def device(request):
    if request.param == "cuda":
        yield torch.device("cuda")
        return
    with fake_gpu():
        yield torch.device(NAME)


@pytest.fixture
def pair(tiny, train, device):
    """pair(model, **settings) -> a trained model in float64 here and there, its data, and test."""

    def pair(backbone, **settings):
        settings = {"epochs": 1, "use_gpu": False, "reproducibility": True, **settings}
        result, _ = train(tiny, backbone, **settings)
        made = make_parts(RunConfig(config_dict=result.settings))
        here = made.model.double().eval()
        there = copy.deepcopy(here).to(device)
        return here, there, made

    return pair


def loss_and_gradients(model, interaction):
    torch.manual_seed(0)  # what is sampled is drawn on the CPU
    loss = model.calculate_loss(interaction)
    loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return loss.detach().cpu(), {n: g.to_dense().cpu() for n, g in gradients.items()}


def agree(pair, device, backbone, **settings):
    here, there, made = pair(backbone, **settings)
    batch = next(iter(made.train))
    loss, gradients = loss_and_gradients(here, batch)
    found, found_gradients = loss_and_gradients(there, batch.to(device))
    torch.testing.assert_close(found, loss, **CLOSE)
    assert found_gradients.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(found_gradients[name], gradient, **CLOSE, msg=name)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("mode", EMBEDDINGS)
def test_loss_and_gradients_of_every_embedding(pair, device, mode, loss):
    agree(pair, device, "SASRecDelta", item_embedding=mode, loss=loss)


@pytest.mark.parametrize("backbone", [b for b in BACKBONES if b != "BERT4RecDelta"])
def test_loss_and_gradients_of_every_backbone(pair, device, backbone):
    """But for BERT4Rec, whose masks are drawn on the device."""
    agree(pair, device, backbone, item_embedding="delta")


@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("name", ["cross_entropy", "chunked_cross_entropy"])
def test_the_exact_losses_against_the_plain_softmax(device, name, scale):
    """With a shift of the logits, which a GPU always makes, small and large."""
    from recbole_delta.loss import exact

    generator = torch.Generator().manual_seed(0)
    hidden = scale * torch.randn(70, 8, generator=generator, dtype=torch.float64)
    table = torch.randn(301, 8, generator=generator, dtype=torch.float64)
    target = torch.randint(1, 301, (70,), generator=generator)
    here = [each.clone().requires_grad_() for each in (hidden, table)]
    there = [each.to(device).requires_grad_() for each in (hidden, table)]
    plain = torch.nn.functional.cross_entropy(here[0] @ here[1][1:].T, target - 1)
    ours = getattr(exact, name)(*there, target.to(device))
    torch.testing.assert_close(ours.cpu(), plain, **CLOSE)
    for a, b in zip(torch.autograd.grad(3 * ours, there), torch.autograd.grad(3 * plain, here)):
        torch.testing.assert_close(a.cpu(), b, **CLOSE)


@pytest.mark.parametrize("backbone", ["SASRecDelta", "GRU4RecDelta", "BERT4RecDelta"])
def test_an_evaluation_has_the_same_ranks(pair, backbone):
    here, there, made = pair(backbone, mask_history=True)
    found = [evaluate_modes(m, made.test.dataset, MODES, batch_size=32) for m in (here, there)]
    for a, b in zip(*found):
        assert (a.ranks.above == b.ranks.above).all()
        assert (a.ranks.tied == b.ranks.tied).all()
        assert a.metrics(["ndcg"], [10]) == pytest.approx(b.metrics(["ndcg"], [10]))


def test_row_adam_changes_the_same_rows(device):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(9, 3, generator=generator, dtype=torch.float64)
    start[0] = 0
    tables = [torch.nn.Parameter(start.clone().to(each)) for each in ("cpu", device)]
    optimizers = [RowAdam([table], lr=0.1) for table in tables]
    for ids in ([3, 5, 3, 0, 3], [0, 0], [8], [5, 3, 8, 1, 5, 0]):
        for table, optimizer in zip(tables, optimizers):
            optimizer.zero_grad()
            index = torch.tensor(ids).to(table.device)
            rows = torch.nn.functional.embedding(index, table, sparse=True)
            weight = torch.arange(1.0, len(ids) + 1).double().to(table.device) * (index > 0)
            (rows.square().sum(1) * weight).sum().backward()
            optimizer.step()
        changed = {*optimizers[1].updated_rows(tables[1]).cpu().tolist()} - {0}
        assert changed == {*ids} - {0}
        torch.testing.assert_close(tables[1].detach().cpu(), tables[0].detach(), **CLOSE)
        assert not tables[1][0].detach().cpu().any()


# -- a real GPU alone ------------------------------------------------------------------------


@pytest.fixture
def on_cuda():
    if not torch.cuda.is_available():
        pytest.skip("torch finds no NVIDIA GPU here")


@pytest.mark.cuda
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_never_waits_for_the_host(tiny, train, on_cuda, loss):
    """CUDA's own check, instead of the list of the fake device."""
    result, _ = train(tiny, loss=loss, epochs=1)
    made = make_parts(RunConfig(config_dict=result.settings))
    trainer = made.trainer(made.config, made.model)
    trainer._begin(made.train)
    batches = list(made.train)[:2]
    trainer._train_epoch(batches, 0)
    for batch in batches:
        torch.cuda.set_sync_debug_mode("error")
        try:
            interaction = batch.to(trainer.device)
            trainer.optimizer.zero_grad()
            trainer.model.calculate_loss(interaction).backward()
            trainer.optimizer.step()
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.cuda
@pytest.mark.parametrize("amp", [False, True])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_run_on_a_gpu_learns_what_one_on_the_cpu_does(tiny, train, on_cuda, backbone, amp):
    still = {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0, "dropout_prob": 0.0}
    settings = {"epochs": 3, "enable_amp": amp, "enable_scaler": amp, **still}
    there, here = (train(tiny, backbone, use_gpu=gpu, **settings)[0] for gpu in (True, False))
    losses = [[entry["train_loss"] for entry in each.curve] for each in (there, here)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    recommender = recbole_delta.Recommender(there.checkpoint, device="cpu")
    assert recommender.recommend([recommender.known_items[:3]], k=3)
    assert recbole_delta.resume(there.checkpoint, {"epochs": 4, "use_gpu": False}).curve[3]
