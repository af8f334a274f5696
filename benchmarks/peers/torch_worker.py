"""torch_worker.py eager|compile CASE: PyTorch's side of benchmarks/compare, tuned: fused optimisers, no
version counters where nothing is recorded, all but the optimiser compiled where it is told so."""
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from worker import TIMED_RATE, Missing, integers, moments, probes, repeat, serve, values


def tensor(stream, *shape, scale=1):
    return torch.from_numpy(values(stream, *shape, scale=scale))


def leaf(stream, *shape):
    return tensor(stream, *shape).requires_grad_()


def classes(stream, count, bound):
    return torch.from_numpy(integers(stream, count, bound))


def array(x):
    return x.detach().float().numpy()


# --- Single ops, without gradients ---


def op(f, *inputs, check=probes):
    """f, called in inference mode."""

    def case(wrap):
        tensors = [make() for make in inputs]
        g = wrap(f)

        @torch.inference_mode()
        def run(count):
            for _ in range(count):
                g(*tensors)

        with torch.inference_mode():
            return run, check(array(g(*tensors)))

    return case


def input_of(*shape, stream=0, scale=1, dtype=torch.float32):
    return lambda: tensor(stream, *shape, scale=scale).to(dtype)


def of_a_million(f):
    return op(f, input_of(1 << 20, scale=4))


def of_rows(f):
    return op(f, input_of(2048, 512))


def product(m, k, n, dtype):
    return op(torch.matmul, input_of(m, k, dtype=dtype), input_of(k, n, stream=1, dtype=dtype))


def eager_only(case):
    """Of cases that are measured for what one op costs, of which compiling would leave nothing."""

    def checked(wrap):
        if wrap is not eager:
            raise Missing("eager's cost of an op")
        return case(wrap)

    return checked


def add(count):
    return op(torch.add, input_of(count), input_of(count, stream=1))


# --- What is recorded, and backward ---


def add_one_recorded(_):
    a, b = leaf(0, 1), tensor(1, 1)

    def run(count):
        for _ in range(count):
            a + b

    return run, probes(array(a + b))


def chain(_):
    x = leaf(0, 1)

    def step():
        y = x
        for _ in range(100):
            y = y * 1.01
        y.backward()

    step()
    return repeat(step), probes(array(x.grad))


def backward_of(f, *leaves, **others):
    """The gradients of f's inputs, again and again over one graph."""

    def case(wrap):
        inputs = [leaf(i, *shape) for i, shape in enumerate(leaves)]
        y = wrap(f)(*inputs, **{name: make() for name, make in others.items()})
        dy = tensor(9, *y.shape)

        def step():
            return torch.autograd.grad(y, inputs, dy, retain_graph=True)

        return repeat(step), [number for gradient in step() for number in probes(array(gradient))]

    return case


def layer_norm(x, weight, bias):
    return F.layer_norm(x, (384,), weight, bias)


def embedding(weight, index):
    return F.embedding(index, weight)


def cross_entropy(wrap):
    x, target = leaf(0, 2048, 50257), classes(1, 2048, 50257)
    f = wrap(F.cross_entropy)

    def step():
        loss = f(x, target)
        return loss, torch.autograd.grad(loss, x)[0]

    loss, gradient = step()
    return repeat(step), [*probes(array(gradient) * 1e9), loss.item()]


# --- Steps of training ---


def network(*widths):
    """Linear layers of these widths, with a ReLU between each two."""
    layers = []
    for i, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
        layer = nn.Linear(fan_in, fan_out)
        bound = np.float32(1) / np.sqrt(np.float32(fan_in))
        layer.weight.data = tensor(10 + 2 * i, fan_out, fan_in, scale=bound)
        layer.bias.data = tensor(11 + 2 * i, fan_out, scale=bound)
        layers += [nn.ReLU()] * (i > 0) + [layer]
    return nn.Sequential(*layers)


def timed(optimizer, step):
    """After five steps, whose losses it takes."""
    losses = [step().item() for _ in range(5)]
    for group in optimizer.param_groups:
        group["lr"] = TIMED_RATE
    return repeat(step), losses


def training(widths, optimizer_of, loss_of, x, y, mixed=False):
    def case(wrap):
        model, batch, target = network(*widths), x(), y()
        optimizer = optimizer_of(model.parameters())

        @wrap
        def forward():
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                return loss_of(model(batch), target)

        def step():
            optimizer.zero_grad()
            loss = forward()
            loss.backward()
            optimizer.step()
            return loss

        return timed(optimizer, step)

    return case


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1, fused=True)


def adam(parameters):
    return torch.optim.Adam(parameters, fused=True)


def mlp(optimizer, mixed):
    return training((784, 1024, 1024, 10), optimizer, F.cross_entropy, input_of(128, 784),
                    lambda: classes(1, 128, 10), mixed)


def adamw(wrap):
    parameters = [nn.Parameter(tensor(i, 1 << 20)) for i in range(8)]
    for i, parameter in enumerate(parameters):
        parameter.grad = tensor(8 + i, 1 << 20)
    fused = wrap is eager
    optimizer = torch.optim.AdamW(parameters, fused=fused)
    step = optimizer.step if fused else wrap(optimizer.step)
    for _ in range(3):
        step()
    check = probes(array(parameters[0]))
    optimizer.param_groups[0]["lr"] = TIMED_RATE
    return repeat(step), check


CASES = {
    "mlp_sgd_f32": mlp(sgd, False),
    "mlp_adam_f32": mlp(adam, False),
    "mlp_sgd_bf16": mlp(sgd, True),
    "mlp_adam_bf16": mlp(adam, True),
    "linreg_step": training((13, 1), sgd, F.mse_loss, input_of(64, 13), input_of(64, 1, stream=1)),
    "binary_step": training((30, 64, 1), adam, F.binary_cross_entropy_with_logits, input_of(64, 30),
                            lambda: classes(1, 64, 2).float().reshape(64, 1)),
    "adamw_8x1m": adamw,
    "add_one": eager_only(add(1)),
    "add_16m": add(1 << 24),
    "gelu_1m": of_a_million(F.gelu),
    "tanh_1m": of_a_million(torch.tanh),
    "sigmoid_1m": of_a_million(torch.sigmoid),
    "sum_rows": of_rows(lambda x: x.sum(1)),
    "max_rows": of_rows(lambda x: x.amax(1)),
    "argmax_rows": of_rows(lambda x: x.argmax(1)),
    "transpose_copy": of_rows(lambda x: x.t().contiguous()),
    "softmax": op(lambda x: x.softmax(1), input_of(12288, 256)),
    "layer_norm_forward": op(layer_norm, input_of(2048, 384), input_of(384, stream=1),
                             input_of(384, stream=2)),
    "dropout_1m": op(lambda x: F.dropout(x, 0.5), input_of(1 << 20), check=moments),
    "randn_1m": op(lambda: torch.randn(1 << 20), check=moments),
    "matmul_128x784x1024_f32": product(128, 784, 1024, torch.float32),
    "matmul_128x784x1024_bf16": product(128, 784, 1024, torch.bfloat16),
    "matmul_2048_f32": product(2048, 2048, 2048, torch.float32),
    "matmul_2048_bf16": product(2048, 2048, 2048, torch.bfloat16),
    "add_one_recorded": eager_only(add_one_recorded),
    "chain_100": eager_only(chain),
    "layer_norm_backward": backward_of(layer_norm, (2048, 384), (384,), (384,)),
    "embedding_backward": backward_of(embedding, (50257, 384), index=lambda: classes(1, 2048, 50257)),
    "cross_entropy": cross_entropy,
}


def eager(f):
    return f


def compiled(f):
    import torch._functorch.config

    torch._functorch.config.donated_buffer = False  # a graph is gone through more than once
    return torch.compile(f)


variant, case = sys.argv[1:]
torch.set_num_threads(2)
serve(CASES, case, {"eager": eager, "compile": compiled}[variant])
