"""PyTorch's variances, norms and their like: python3 reduce.py > reduce.json"""
import torch

from figures import Cases

c = Cases(1)
x = c.input(3, 4)
for correction in (0, 1, 2, 0.5):
    c.add(f"var {correction}", lambda x: torch.var(x, dim=1, correction=correction), x)
    c.add(f"std {correction}", lambda x: torch.std(x, dim=0, correction=correction), x)
for p in (0, 0.5, 1, 2, 3, -1, float("inf"), float("-inf")):
    c.add(f"norm {p}", lambda x: torch.linalg.vector_norm(x, p, dim=1), x)
c.add("logsumexp", lambda x: torch.logsumexp(x, (0, 1)), x * 20)
c.add("logsumexp of infinities", lambda x: torch.logsumexp(x + torch.tensor([0, 0, 0, -torch.inf]), 1), x)
c.add("prod", lambda x: torch.prod(x, 1), x)
c.add("prod of zeros", lambda x: torch.prod(x, 1),
      x * torch.tensor([[0, 1, 1, 1], [0, 1, 0, 1], [1, 1, 1, 1]]))
c.add("amax of equals", lambda x: torch.amax(x, (0, 1)), torch.round(x))
c.add("max of equals", lambda x: torch.max(x, 1).values, torch.round(x))
c.add("norm of zeros", lambda x: torch.linalg.vector_norm(x, 2, dim=1), x * 0)
c.print()
