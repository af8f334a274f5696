#!/usr/bin/env python3
"""PyTorch's optimisers after 20 steps, for every combination of options: optim.py > optim.json."""
import itertools
import json
import math

import torch

STEPS = 20
GRID = {
    "SGD": dict(lr=[0.02], momentum=[0, 0.9], dampening=[0, 0.5], weight_decay=[0, 0.1],
                nesterov=[False, True], maximize=[False, True]),
    "Adam": dict(lr=[0.02], betas=[(0.9, 0.999), (0.5, 0.9)], eps=[1e-8], weight_decay=[0, 0.1],
                 amsgrad=[False, True], maximize=[False, True]),
    "AdamW": dict(lr=[0.02], betas=[(0.9, 0.999)], eps=[1e-4], weight_decay=[0.01, 0.2],
                  amsgrad=[False, True], maximize=[False, True]),
    "RMSprop": dict(lr=[0.01], alpha=[0.99, 0.5], eps=[1e-6], weight_decay=[0, 0.1], momentum=[0, 0.8],
                    centered=[False, True], maximize=[False, True]),
    "Adagrad": dict(lr=[0.05], lr_decay=[0, 0.1], weight_decay=[0, 0.1],
                    initial_accumulator_value=[0, 0.3], eps=[1e-10], maximize=[False, True]),
}


def run(name, options, dtype):
    p = torch.tensor([math.cos(0.3 * i) for i in range(5)], dtype=dtype, requires_grad=True)
    optimizer = getattr(torch.optim, name)([p], **options)
    for t in range(1, STEPS + 1):
        p.grad = torch.tensor([math.sin(0.9 * i + 0.37 * t) for i in range(5)], dtype=dtype)
        optimizer.step()
    return p.detach().double().tolist()


rows = []
for name, grid in GRID.items():
    for values in itertools.product(*grid.values()):
        options = dict(zip(grid, values))
        if options.get("nesterov") and (options["momentum"] == 0 or options["dampening"] != 0):
            continue
        rows.append(dict(optimizer=name, options=options, f64=run(name, options, torch.float64),
                         f32=run(name, options, torch.float32)))
print("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]")
