"""PyTorch's reducing scatters, diagonals, powers, covariances, modes and distinct slices:
python3 forms.py > forms.json"""
import torch

from figures import Cases

c = Cases(7)
places = torch.tensor([[0, 3, 0, 1, 3], [2, 2, 2, 2, 0], [1, 0, 1, 3, 1]])
x, src = c.input(3, 4), c.input(3, 5)
zeros = torch.tensor([[0, 1, 1, 1, 0], [0, 1, 0, 1, 1], [1, 1, 1, 1, 1]])


def whole(y, *x):
    """What has no gradient."""
    return y.double() + 0 * sum(each.sum() for each in x)


for how in ("sum", "prod", "mean", "amax", "amin"):
    for include_self in (True, False):
        c.add(f"scatter_reduce {how} {include_self}",
              lambda x, src: x.scatter_reduce(1, places, src, how, include_self=include_self), x, src)
c.add("scatter_reduce prod zeros", lambda x, src: x.scatter_reduce(1, places, src, "prod"), x, src * zeros)
c.add("scatter_reduce mean whole",
      lambda x, src: whole(x.long().scatter_reduce(1, places, src.long(), "mean"), x, src), x * 9, src * 9)
rows = torch.tensor([1, 3, 1, 1])
for how in ("prod", "mean", "amax", "amin"):
    for include_self in (True, False):
        c.add(f"index_reduce {how} {include_self}",
              lambda x, src: x.index_reduce(1, rows, src, how, include_self=include_self), x, c.input(3, 4))

flat = torch.tensor([[11, 0], [5, 11]])
c.add("put accumulate", lambda x, src: x.put(flat, src, accumulate=True), x, c.input(2, 2))
c.add("masked_scatter", lambda x, src: x.masked_scatter(places[:, :4] > 1, src), x, src)
c.add("diag", lambda x: torch.diag(x, 1), x)
c.add("diag of a line", lambda x: torch.diag(x, -1), c.input(3))
c.add("diag_embed", lambda x: torch.diag_embed(x, 1, 0, 2), x)
c.add("diagflat", lambda x: torch.diagflat(x, -2), c.input(2, 2))
c.add("diagonal_scatter", lambda x, src: torch.diagonal_scatter(x, src, -1), x, c.input(2))
c.add("block_diag", torch.block_diag, c.input(2, 3), c.input(), c.input(2), c.input(1, 0))
c.add("cartesian_prod", torch.cartesian_prod, c.input(2), c.input(3), c.input(1))
c.add("vander", lambda x: torch.linalg.vander(x).flip(1), c.input(4))
c.add("vander rising", lambda x: torch.linalg.vander(x, N=3), c.input(4))
c.add("addbmm", lambda c, x, y: torch.addbmm(c, x, y, beta=0.5, alpha=2), c.input(2, 2), c.input(3, 2, 4),
      c.input(3, 4, 2))
for n in (0, 1, 2, 5, 6):
    c.add(f"matrix_power {n}", lambda x: torch.linalg.matrix_power(x, n) + 0 * x, c.input(2, 3, 3, low=-1, high=1))
many, weights = torch.tensor([1, 0, 2, 3]), c.input(4, low=0.1)
c.add("cov", torch.cov, x)
c.add("cov 0", lambda x: torch.cov(x, correction=0), x)
c.add("cov counted", lambda x: torch.cov(x, fweights=many), x)
c.add("cov weighted", lambda x, w: torch.cov(x, correction=2, fweights=many, aweights=w), x, weights)
c.add("cov of one", lambda x: torch.cov(x), c.input(5))
c.add("corrcoef", torch.corrcoef, x)
c.add("corrcoef of one", torch.corrcoef, c.input(5))

few = torch.round(c.input(4, 9))
c.add("mode", lambda x: torch.mode(x, 1).values, few)
c.add("mode places", lambda x: whole(torch.mode(x, 0).indices, x), few)
same = torch.round(c.input(4, 3, 2, low=0, high=1))[[2, 2, 0, 3, 3, 3, 1, 0, 2, 0, 0, 1]]
for dim in (0, 1):
    line = same if dim == 0 else same.transpose(0, 1)
    part = dict(sorted=True, return_inverse=True, return_counts=True, dim=dim)
    for i, name in enumerate(("values", "inverse", "counts")):
        c.add(f"unique {name} {dim}", lambda x: whole(torch.unique(x.detach(), **part)[i], x), line)
        c.add(f"consecutive {name} {dim}",
              lambda x: whole(torch.unique_consecutive(x.detach(), True, True, dim=dim)[i], x), line)
c.add("tril_indices", lambda x: whole(torch.tril_indices(4, 3, -1), x), x)
c.add("triu_indices", lambda x: whole(torch.triu_indices(3, 4, 1), x), x)
c.print()
