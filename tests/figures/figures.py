"""What the scripts beside this one share: cases of PyTorch's, printed as JSON."""
import json

import torch

torch.set_default_dtype(torch.float64)


def plain(x):
    x = x.detach().contiguous()
    return {"shape": list(x.shape), "values": [float(v) for v in x.flatten().tolist()]}


class Cases:
    """Each case is f of floating inputs, with the gradient of what `weights` make of the result."""

    def __init__(self, seed):
        self.random = torch.Generator().manual_seed(seed)
        self.cases = {}

    def input(self, *shape, low=-2.0, high=2.0):
        """Numbers that f32 holds as they are."""
        x = torch.rand(shape, generator=self.random) * (high - low) + low
        return torch.round(x * 1024) / 1024

    def add(self, name, f, *inputs):
        inputs = [x.clone().requires_grad_() for x in inputs]
        y = f(*inputs)
        weights = torch.linspace(0.5, 1.5, y.numel()).reshape(y.shape)
        gradients = torch.autograd.grad((y * weights).sum(), inputs, allow_unused=True)
        self.cases[name] = {
            "inputs": [plain(x) for x in inputs],
            "result": plain(y),
            "weights": plain(weights),
            "gradients": [plain(torch.zeros_like(x) if g is None else g)
                          for x, g in zip(inputs, gradients)],
        }

    def print(self):
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(case)}"
                           for name, case in self.cases.items())
        print(f"{{\n{lines}\n}}")
