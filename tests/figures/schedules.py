#!/usr/bin/env python3
"""PyTorch's learning rates over 100 steps: schedules.py > schedules.json."""
import json
import math
import warnings

import torch
from torch.optim import lr_scheduler as s

warnings.simplefilter("ignore")
BASE = 0.3


def rates(make, metric=None):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=BASE)
    schedule = make(optimizer)
    found = []
    for t in range(100):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step(*([metric(t)] if metric else []))
    return found


def metric(t):
    """Gets better, stalls, gets worse, gets better again."""
    return 1 / (1 + t) if t < 20 else 0.05 + 0.01 * math.sin(t) if t < 60 else 0.04 - 0.0003 * t


def plateau(**options):
    return rates(lambda o: s.ReduceLROnPlateau(o, **options), metric)


print(json.dumps({
    "lambda": rates(lambda o: s.LambdaLR(o, lambda t: 1 / (1 + 0.1 * t))),
    "constant": rates(lambda o: s.ConstantLR(o, factor=0.5, total_iters=7)),
    "step": rates(lambda o: s.StepLR(o, step_size=13, gamma=0.5)),
    "multi_step": rates(lambda o: s.MultiStepLR(o, milestones=[10, 11, 50], gamma=0.3)),
    "exponential": rates(lambda o: s.ExponentialLR(o, gamma=0.97)),
    "cosine": rates(lambda o: s.CosineAnnealingLR(o, T_max=40, eta_min=0.01)),
    "linear": rates(lambda o: s.LinearLR(o, start_factor=0.25, end_factor=0.9, total_iters=30)),
    "polynomial": rates(lambda o: s.PolynomialLR(o, total_iters=80, power=2)),
    "one_cycle": rates(lambda o: s.OneCycleLR(o, max_lr=1, total_steps=101, cycle_momentum=False)),
    "sequential": rates(lambda o: s.SequentialLR(
        o, [s.LinearLR(o, start_factor=0.1, total_iters=10), s.CosineAnnealingLR(o, T_max=50),
            s.ConstantLR(o, factor=0.2, total_iters=1000)], milestones=[10, 60])),
    "plateau": plateau(patience=3),
    "plateau_abs": plateau(mode="max", factor=0.7, patience=2, threshold=0.01, threshold_mode="abs",
                           cooldown=4, min_lr=0.05),
}, indent=1))
