#!/usr/bin/env python3
"""PyTorch's bounds of initial values, and batch normalisation over batches: layers.py > layers.json."""
import json
import math

import torch
from torch import nn


def bounds():
    fans = nn.init._calculate_fan_in_and_fan_out
    rows = []
    for shape in [(3, 5), (8, 4, 3), (6, 2, 3, 3)]:
        fan_in, fan_out = fans(torch.empty(shape))
        rows.append(dict(shape=shape, fan_in=fan_in, fan_out=fan_out))
    return rows


def gains():
    names = ["linear", "sigmoid", "tanh", "relu", "selu"]
    return {**{name: nn.init.calculate_gain(name) for name in names},
            "leaky_relu": nn.init.calculate_gain("leaky_relu", 0.2)}


def values(count, phase):
    return [math.sin(1.7 * i + phase) for i in range(count)]


def batch_norm(shape, dtype, **options):
    layer = nn.BatchNorm1d(shape[1], dtype=dtype, **options)
    if layer.affine:
        layer.weight.data = torch.tensor(values(shape[1], 2), dtype=dtype)
        layer.bias.data = torch.tensor(values(shape[1], 3), dtype=dtype)
    count = math.prod(shape)
    found = []
    for step in range(3):
        if step == 2:
            layer.eval()
        x = torch.tensor(values(count, step), dtype=dtype).reshape(shape).requires_grad_()
        y = layer(x)
        layer.zero_grad()
        (y * torch.tensor(values(count, 5), dtype=dtype).reshape(shape)).sum().backward()
        found.append(dict(y=y, dx=x.grad))
        if layer.affine:
            found[-1].update(dweight=layer.weight.grad, dbias=layer.bias.grad)
        if layer.track_running_stats:
            found[-1].update(mean=layer.running_mean, var=layer.running_var,
                             count=layer.num_batches_tracked)
        found[-1] = {k: v.detach().double().flatten().tolist() for k, v in found[-1].items()}
    return found


print(json.dumps(dict(
    fans=bounds(), gains=gains(),
    batch_norm=[dict(shape=shape, options=options, f64=batch_norm(shape, torch.float64, **options),
                     f32=batch_norm(shape, torch.float32, **options))
                for shape in [(5, 2), (3, 2, 2)]
                for options in [{}, dict(momentum=0.4, eps=1e-2), dict(momentum=None), dict(affine=False),
                                dict(track_running_stats=False)]])))
