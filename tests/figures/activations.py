#!/usr/bin/env python3
"""PyTorch's activation modules and their slopes: activations.py > activations.json."""
import json

import torch
from torch import nn

X = [-7.5, -3.2, -1.4, -0.6, -0.1, 0.05, 0.4, 0.9, 1.7, 3.3, 6.5, 9.0]


class Hardsigmoid(nn.Module):
    """As PyTorch's, whose slope in f64 is only a float's 1/6."""

    def forward(self, x):
        return nn.functional.relu6(x + 3) / 6


MODULES = [
    nn.ReLU(), nn.ReLU6(), nn.Sigmoid(), nn.LogSigmoid(), nn.Tanh(), nn.SiLU(), nn.Mish(), nn.SELU(),
    nn.Softsign(), nn.Tanhshrink(), Hardsigmoid(), nn.Hardswish(), nn.GELU(),
    nn.GELU(approximate="tanh"), nn.LeakyReLU(), nn.LeakyReLU(0.3), nn.ELU(), nn.ELU(0.5), nn.CELU(),
    nn.CELU(2.0), nn.Softplus(threshold=50), nn.Softplus(beta=2.0, threshold=50), nn.Hardshrink(),
    nn.Softshrink(1.5), nn.Softmax(dim=0), nn.LogSoftmax(dim=-1), nn.Hardtanh(), nn.Hardtanh(-2.0, 0.5), nn.Threshold(0.5, 3.0),
]


def row(module):
    result = dict(module=repr(module))
    for key, dtype in dict(f64=torch.float64, f32=torch.float32).items():
        x = torch.tensor(X, dtype=dtype, requires_grad=True)
        y = module(x)
        (y * torch.arange(len(X), dtype=dtype)).sum().backward()
        result[key] = dict(y=y.detach().double().tolist(), slope=x.grad.double().tolist())
    return result


print(json.dumps(dict(x=X, rows=[row(module) for module in MODULES])))
