"""jax_worker.py CASE: JAX's side of benchmarks/compare: a step is one jitted function that owns its state."""
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from worker import TIMED_RATE, integers, moments, probes, serve, values


def array(x):
    return np.asarray(x.astype(jnp.float32))


def waited(f, *inputs):
    """Each result is waited for: nobody else makes sure that memory for the next is there."""

    def run(count):
        for _ in range(count):
            jax.block_until_ready(f(*inputs))

    return run


# --- Single ops ---


def op(f, *inputs, check=probes):
    def case():
        arrays = [make() for make in inputs]
        g = jax.jit(f)
        return waited(g, *arrays), check(array(g(*arrays)))

    return case


def input_of(*shape, stream=0, scale=1, dtype=jnp.float32):
    return lambda: jnp.asarray(values(stream, *shape, scale=scale)).astype(dtype)


def of_a_million(f):
    return op(f, input_of(1 << 20, scale=4))


def of_rows(f):
    return op(f, input_of(2048, 512))


def product(m, k, n, dtype):
    return op(jnp.matmul, input_of(m, k, dtype=dtype), input_of(k, n, stream=1, dtype=dtype))


def drawn(f, *inputs):
    """f of a key, which each call makes anew, and of inputs."""

    def case():
        arrays = [make() for make in inputs]

        @partial(jax.jit, donate_argnums=0)
        def draw(key, *arrays):
            key, own = jax.random.split(key)
            return key, f(own, *arrays)

        state = [jax.random.key(0, impl="rbg")]

        def once():
            state[0], result = draw(state[0], *arrays)
            return jax.block_until_ready(result)

        return waited(once), moments(array(once()))

    return case


def dropout(key, x):
    return jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x / 0.5, 0)


def layer_norm(x, weight, bias):
    mean = x.mean(1, keepdims=True)
    variance = ((x - mean) ** 2).mean(1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * weight + bias


# --- Backward ---


def backward_of(f, *shapes):
    """The gradients of f's inputs, from what its forward has left."""

    def case():
        inputs = [jnp.asarray(values(i, *shape)) for i, shape in enumerate(shapes)]
        y, pull = jax.vjp(f, *inputs)
        dy = jnp.asarray(values(9, *y.shape))
        pass_back = jax.jit(lambda pull, dy: pull(dy))
        gradients = pass_back(pull, dy)
        check = [number for gradient in gradients for number in probes(array(gradient))]
        return waited(pass_back, pull, dy), check

    return case


def embedding(weight):
    return weight[jnp.asarray(integers(1, 2048, 50257))]


def mean_cross_entropy(logits, target):
    log_softmax = jax.nn.log_softmax(logits.astype(jnp.float32))
    return -jnp.take_along_axis(log_softmax, target[:, None], 1).mean()


def cross_entropy():
    x = jnp.asarray(values(0, 2048, 50257))
    target = jnp.asarray(integers(1, 2048, 50257))
    both_ways = jax.jit(jax.value_and_grad(mean_cross_entropy))
    loss, gradient = both_ways(x, target)
    return waited(both_ways, x, target), [*probes(array(gradient) * 1e9), float(loss)]


# --- Steps of training ---


def network(*widths):
    """Weight and bias of each linear layer."""
    layers = []
    for i, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
        bound = np.float32(1) / np.sqrt(np.float32(fan_in))
        layers.append((jnp.asarray(values(10 + 2 * i, fan_out, fan_in, scale=bound)),
                       jnp.asarray(values(11 + 2 * i, fan_out, scale=bound))))
    return layers


def predicted(layers, x, mixed):
    dtype = jnp.bfloat16 if mixed else jnp.float32
    for i, (weight, bias) in enumerate(layers):
        x = x if i == 0 else jax.nn.relu(x)
        x = x.astype(dtype) @ weight.astype(dtype).T + bias.astype(dtype)
    return x


def sgd(rate, parameters, gradients, state):
    return jax.tree.map(lambda p, g: p - rate * g, parameters, gradients), state


def adam(rate, parameters, gradients, state, decay=0.0):
    t, first, second = state
    t = t + 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)

    def update(p, m, v):
        root = jnp.sqrt(v / (1 - 0.999**t)) + 1e-8
        return p - rate * (decay * p + m / (1 - 0.9**t) / root)

    return jax.tree.map(update, parameters, first, second), (t, first, second)


def adam_state(parameters):
    return (jnp.float32(0), *(jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)))


def no_state(_):
    return ()


def chained(step, parameters, state):
    """Repeats step(parameters, state), whose results are its next arguments."""
    now = [parameters, state]

    def run(count):
        for _ in range(count):
            _, *now[:] = step(*now)
        jax.block_until_ready(now)

    return run


def training(widths, rate, optimizer, state_of, loss_of, x, y, mixed=False):
    def case():
        layers, batch, target = network(*widths), x(), y()
        state = state_of(layers)

        def step_at(rate):
            def step(layers, state):
                loss, gradients = jax.value_and_grad(
                    lambda layers: loss_of(predicted(layers, batch, mixed), target))(layers)
                return loss, *optimizer(rate, layers, gradients, state)

            return jax.jit(step, donate_argnums=(0, 1))

        step, losses = step_at(rate), []
        for _ in range(5):
            loss, layers, state = step(layers, state)
            losses.append(float(loss))
        return chained(step_at(TIMED_RATE), layers, state), losses

    return case


def mlp(rate, optimizer, state_of, mixed):
    return training((784, 1024, 1024, 10), rate, optimizer, state_of, mean_cross_entropy,
                    input_of(128, 784), lambda: jnp.asarray(integers(1, 128, 10)), mixed)


def squared_error(x, y):
    return ((x - y) ** 2).mean()


def binary_cross_entropy(x, y):
    return (jnp.maximum(x, 0) - x * y + jnp.log1p(jnp.exp(-jnp.abs(x)))).mean()


def adamw():
    parameters = [jnp.asarray(values(i, 1 << 20)) for i in range(8)]
    gradients = [jnp.asarray(values(8 + i, 1 << 20)) for i in range(8)]
    state = adam_state(parameters)

    def step_at(rate):
        def step(parameters, state):
            return None, *adam(rate, parameters, gradients, state, decay=0.01)

        return jax.jit(step, donate_argnums=(0, 1))

    step = step_at(1e-3)
    for _ in range(3):
        _, parameters, state = step(parameters, state)
    return chained(step_at(TIMED_RATE), parameters, state), probes(array(parameters[0]))


CASES = {
    "mlp_sgd_f32": mlp(0.1, sgd, no_state, False),
    "mlp_adam_f32": mlp(1e-3, adam, adam_state, False),
    "mlp_sgd_bf16": mlp(0.1, sgd, no_state, True),
    "mlp_adam_bf16": mlp(1e-3, adam, adam_state, True),
    "linreg_step": training((13, 1), 0.1, sgd, no_state, squared_error, input_of(64, 13),
                            input_of(64, 1, stream=1)),
    "binary_step": training((30, 64, 1), 1e-3, adam, adam_state, binary_cross_entropy, input_of(64, 30),
                            lambda: jnp.asarray(integers(1, 64, 2), jnp.float32).reshape(64, 1)),
    "adamw_8x1m": adamw,
    "add_16m": op(jnp.add, input_of(1 << 24), input_of(1 << 24, stream=1)),
    "gelu_1m": of_a_million(partial(jax.nn.gelu, approximate=False)),
    "tanh_1m": of_a_million(jnp.tanh),
    "sigmoid_1m": of_a_million(jax.nn.sigmoid),
    "sum_rows": of_rows(lambda x: x.sum(1)),
    "max_rows": of_rows(lambda x: x.max(1)),
    "argmax_rows": of_rows(lambda x: x.argmax(1)),
    "transpose_copy": of_rows(jnp.transpose),
    "softmax": op(partial(jax.nn.softmax, axis=1), input_of(12288, 256)),
    "layer_norm_forward": op(layer_norm, input_of(2048, 384), input_of(384, stream=1),
                             input_of(384, stream=2)),
    "dropout_1m": drawn(dropout, input_of(1 << 20)),
    "randn_1m": drawn(lambda key: jax.random.normal(key, (1 << 20,))),
    "matmul_128x784x1024_f32": product(128, 784, 1024, jnp.float32),
    "matmul_128x784x1024_bf16": product(128, 784, 1024, jnp.bfloat16),
    "matmul_2048_f32": product(2048, 2048, 2048, jnp.float32),
    "matmul_2048_bf16": product(2048, 2048, 2048, jnp.bfloat16),
    "layer_norm_backward": backward_of(layer_norm, (2048, 384), (384,), (384,)),
    "embedding_backward": backward_of(embedding, (50257, 384)),
    "cross_entropy": cross_entropy,
}

serve(CASES, sys.argv[1])
