#!/usr/bin/env python3
"""PyTorch's losses and their gradients: losses.py > losses.json."""
import json

import torch

SHAPE = (3, 4)
REAL = [-2.5, -1.0, -0.3, 0.0, 0.2, 0.7, 1.0, 1.6, 2.2, 3.0, -0.9, 0.45]
PART = [0.0, 1.0, 0.5, 0.01, 0.25, 0.75, 0.99, 1e-6, 0.3, 0.6, 1.0, 0.0]
TARGET = [1.0, 0.0, 0.0, 0.3, 1.0, 0.75, 0.2, 1.0, 0.0, 0.6, 1.0, 0.0]
WEIGHT = [0.5, 1.5, 2.0, 0.25]


def rows_of(name, x, y, **options):
    for reduction in "none", "mean", "sum":
        row = dict(loss=name, options=options, reduction=reduction, x=x, y=y)
        for key, dtype in dict(f64=torch.float64, f32=torch.float32).items():
            a = torch.tensor(x, dtype=dtype).reshape(SHAPE).requires_grad_()
            b = torch.tensor(y, dtype=dtype).reshape(SHAPE)
            given = {k: torch.tensor(v, dtype=dtype) if isinstance(v, list) else v
                     for k, v in options.items()}
            value = getattr(torch.nn, name)(reduction=reduction, **given)(a, b)
            value.sum().backward()
            row[key] = dict(value=value.detach().double().flatten().tolist(),
                            slope=a.grad.double().flatten().tolist())
        yield row


rows = [
    *rows_of("MSELoss", REAL, TARGET),
    *rows_of("L1Loss", REAL, TARGET),
    *rows_of("SmoothL1Loss", REAL, TARGET),
    *rows_of("SmoothL1Loss", REAL, TARGET, beta=0.3),
    *rows_of("SmoothL1Loss", REAL, TARGET, beta=0.0),
    *rows_of("HuberLoss", REAL, TARGET),
    *rows_of("HuberLoss", REAL, TARGET, delta=2.0),
    *rows_of("BCELoss", PART, TARGET),
    *rows_of("BCELoss", PART, TARGET, weight=WEIGHT),
    *rows_of("BCEWithLogitsLoss", REAL, TARGET),
    *rows_of("BCEWithLogitsLoss", REAL, TARGET, weight=WEIGHT),
    *rows_of("BCEWithLogitsLoss", REAL, TARGET, pos_weight=WEIGHT),
    *rows_of("BCEWithLogitsLoss", REAL, TARGET, pos_weight=WEIGHT, weight=WEIGHT),
    *rows_of("KLDivLoss", REAL, TARGET),
    *rows_of("KLDivLoss", REAL, REAL, log_target=True),
]
print("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]")
