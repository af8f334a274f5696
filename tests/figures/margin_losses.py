"""PyTorch's losses of more operands than two or of vectors, a row for each option:
python3 margin_losses.py > margin_losses.json"""
import json

import torch
from torch import nn

from figures import Cases

c = Cases(5)


def side(*shape):
    return torch.where(torch.rand(shape, generator=c.random) < 0.5, -1.0, 1.0)


def rows(name, inputs, fixed, *options):
    """`fixed` operands come behind `inputs` and have no gradient."""
    for option in options:
        for reduction in "none", "mean", "sum":
            loss = getattr(nn, name)(reduction=reduction, **option)
            c.add(f"{name} {json.dumps(option)} {reduction}",
                  lambda *x: loss(*x, *fixed) if fixed else loss(*x), *inputs)
            c.cases[f"{name} {json.dumps(option)} {reduction}"]["fixed"] = [
                dict(shape=list(y.shape), values=y.flatten().tolist()) for y in fixed]


rows("HingeEmbeddingLoss", [c.input(3, 4)], [side(3, 4)], {}, dict(margin=0.4))
rows("MarginRankingLoss", [c.input(6), c.input(6)], [side(6)], {}, dict(margin=0.5))
rows("SoftMarginLoss", [c.input(3, 4, low=-20, high=20)], [side(3, 4)], {})
rows("CosineEmbeddingLoss", [c.input(5, 3), c.input(5, 3)], [side(5)], {}, dict(margin=-0.3))
rows("CosineEmbeddingLoss", [c.input(3), c.input(3)], [torch.tensor(1.0)], {})
rows("TripletMarginLoss", [c.input(5, 3), c.input(5, 3), c.input(5, 3)], [],
     {}, dict(margin=0.25), dict(p=1.0), dict(p=3.0), dict(p=0.5, eps=0.01), dict(swap=True))
counts = torch.tensor([0.0, 1, 2, 5, 30, 1, 0, 3, 1, 2, 4, 0]).reshape(3, 4)
rows("PoissonNLLLoss", [c.input(3, 4)], [counts], {}, dict(full=True))
rows("PoissonNLLLoss", [c.input(3, 4, low=0.25)], [counts],
     dict(log_input=False), dict(log_input=False, full=True, eps=0.01))
for of in [(3, 4), (3, 1), (3,)]:
    rows("GaussianNLLLoss", [c.input(3, 4), c.input(3, 4), c.input(*of, low=0.01)], [],
         {}, dict(full=True, eps=0.7))
logs, parts = torch.log_softmax(c.input(3, 4), 1), torch.softmax(c.input(3, 4), 1)
for name, y in ("false", parts), ("true", torch.log(parts)):
    loss = nn.KLDivLoss(reduction="batchmean", log_target=name == "true")
    c.add(f'KLDivLoss {{"log_target": {name}, "batchmean": true}} mean', loss, logs, y)
c.print()
