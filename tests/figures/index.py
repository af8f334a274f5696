"""What PyTorch makes of index expressions, scatter_reduce and embedding, with their gradients:

    python tests/figures/index.py > tests/figures/index.json

All numbers are whole, so that results are exact.
"""

import json

import torch

torch.manual_seed(5)
cases = []


def whole(*shape):
    return torch.randint(-9, 10, shape).double()


def plain(x):
    return {"shape": list(x.shape), "values": x.flatten().tolist()}


def described(index):
    if index is None:
        return {"kind": "newaxis"}
    if index is Ellipsis:
        return {"kind": "ellipsis"}
    if isinstance(index, slice):
        return {"kind": "slice", "start": index.start, "stop": index.stop, "step": index.step or 1}
    if isinstance(index, int):
        return {"kind": "integer", "value": index}
    return {"kind": "mask" if index.dtype == torch.bool else "tensor", **plain(index)}


def add(op, f, x, src=None, **arguments):
    """A case of f(x, src): the result and the gradients of sum(dy · result)."""
    operands = [t.requires_grad_() for t in (x, src) if t is not None]
    y = f(*operands)
    dy = 60 * whole(*y.shape)  # what 1, 2, .. 6 equals can share
    dx, *rest = torch.autograd.grad(y, operands, dy)
    case = {"op": op, "x": plain(x), "y": plain(y), "dy": plain(dy), "dx": plain(dx), **arguments}
    if rest:
        case |= {"src": plain(src), "dsrc": plain(rest[0])}
    cases.append(case)


def ints(high, *shape):
    return torch.randint(-high, high, shape)


def mask(*shape):
    return torch.rand(shape) < 0.4


# Where an integer and an index tensor stand apart, PyTorch's order of dimensions is not NumPy's.
expressions = [
    ((4, 3, 5), lambda: (ints(4, 6),)),
    ((4, 3, 5), lambda: (ints(4, 2, 3), ints(3, 3))),
    ((4, 3, 5), lambda: (slice(None), ints(3, 2), ints(5, 3, 1))),
    ((4, 3, 5), lambda: (ints(4, 2), slice(None), ints(5, 2))),
    ((4, 3, 5), lambda: (ints(4, 2, 1), slice(1, None), ints(5, 4))),
    ((4, 3, 5), lambda: (..., ints(5, 3))),
    ((4, 3, 5), lambda: (ints(4, 2), ..., ints(5, 2))),
    ((4, 3, 5), lambda: (None, ints(4, 2), slice(0, 3, 2))),
    ((4, 3, 5), lambda: (ints(4, 2), None, ints(3, 2))),
    ((4, 3, 5), lambda: (slice(None, None, 2), 1, ints(5, 7))),
    ((4, 3, 5), lambda: (mask(4, 3, 5),)),
    ((4, 3, 5), lambda: (mask(4),)),
    ((4, 3, 5), lambda: (slice(None), mask(3, 5))),
    ((4, 3, 5), lambda: (mask(4, 3), ..., ints(5, 1))),
    ((2, 3, 4, 5), lambda: (slice(None), ints(3, 4), ints(4, 4), slice(1, 4))),
    ((2, 3, 4, 5), lambda: (slice(1, 2), ..., None, ints(5, 2, 2))),
]
for shape, draw in expressions:
    index = draw()
    described_index = [described(i) for i in index]
    add("index", lambda x: x[index], whole(*shape), indices=described_index)


def put(x, src, index):
    y = x.clone()
    y[index] = src
    return y


def rows(high, count):
    return torch.randperm(high)[:count]


# Without equal places, whose order PyTorch leaves open.
for shape, draw, value in [
    ((4, 3, 5), lambda: (rows(4, 3),), (3, 3, 5)),
    ((4, 3, 5), lambda: (slice(None), rows(3, 2)), (5,)),
    ((4, 3, 5), lambda: (rows(4, 2), slice(None), rows(5, 2)), (2, 3)),
    ((4, 3, 5), lambda: (rows(4, 2)[:, None], rows(3, 2)), (2, 2, 1)),
    ((4, 3, 5), lambda: (mask(4, 3),), (5,)),
    ((4, 3, 5), lambda: (..., mask(5)), ()),
    ((4, 3, 5), lambda: (slice(1, 3), 2), (2, 1)),
]:
    index = draw()
    described_index = [described(i) for i in index]
    add("index_put", lambda x, src: put(x, src, index), whole(*shape), whole(*value),
        indices=described_index, accumulate=False)

for shape, index, value in [
    ((4, 3), (ints(4, 7),), (7, 3)),
    ((4, 3), (ints(4, 7),), (3,)),
    ((4, 3), (ints(4, 2, 3), ints(3, 3)), (2, 1)),
    ((4, 3, 2), (ints(4, 5), ints(3, 5)), (5, 2)),
    ((4, 3), (mask(4, 3),), ()),
]:
    add("index_put", lambda x, src: torch.index_put(x, index, src, accumulate=True), whole(*shape),
        whole(*value), indices=[described(i) for i in index], accumulate=True)

for how in ("amax", "amin", "sum"):
    for shape, dim, index in [((3, 4), 0, (5, 4)), ((3, 4), 1, (2, 6)), ((2, 3, 4), 1, (2, 4, 3))]:
        places = torch.randint(0, shape[dim], index)
        # Few values, so that many are equal.
        add("scatter", lambda x, src: x.scatter_reduce(dim, places, src, how), whole(*shape) // 4,
            whole(*index) // 4, dim=dim, index=plain(places), how=how)

for shape, padding in [((6,), None), ((2, 5), None), ((2, 5), 3), ((3, 4), -1)]:
    index = torch.randint(0, 6, shape)
    add("embedding",
        lambda x: torch.nn.functional.embedding(index, x, padding_idx=padding), whole(6, 3),
        index=plain(index), padding=padding)

for dim in (0, 1):
    index = torch.randint(0, (4, 3)[dim], (5,))
    shape = (5, 3) if dim == 0 else (4, 5)
    add("index_add", lambda x, src: x.index_add(dim, index, src, alpha=3), whole(4, 3), whole(*shape),
        dim=dim, index=plain(index), alpha=3)
    index = rows((4, 3)[dim], 2)
    shape = (2, 3) if dim == 0 else (4, 2)
    add("index_copy", lambda x, src: x.index_copy(dim, index, src), whole(4, 3), whole(*shape),
        dim=dim, index=plain(index))
    add("index_fill", lambda x, src: x.index_fill(dim, index, src), whole(4, 3), whole(),
        dim=dim, index=plain(index))

index = ints(12, 2, 5)
add("take", lambda x: torch.take(x, index), whole(3, 4), index=plain(index))
for shape, index in [((3, 4), torch.randint(0, 4, (3, 2))), ((3, 1, 4), torch.randint(0, 4, (1, 2, 5)))]:
    add("take_along_dim", lambda x: torch.take_along_dim(x, index, -1), whole(*shape), dim=-1,
        index=plain(index))

print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")
