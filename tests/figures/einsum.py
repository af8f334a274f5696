"""PyTorch's einsum: python3 einsum.py > einsum.json"""
import torch

from figures import Cases

EQUATIONS = {
    "i,i": [(3,), (3,)], "i,i->i": [(3,), (3,)], "i,j": [(2,), (3,)], "ij,j": [(2, 3), (3,)],
    "ij,jk": [(2, 3), (3, 4)], "ij->ji": [(2, 3)], "ba": [(2, 3)], "aB": [(2, 3)], "ii": [(3, 3)],
    "ii->i": [(3, 3)], "iij->j": [(2, 2, 3)], "ijij->ji": [(2, 3, 2, 3)], "ij->": [(2, 3)],
    "ij,kl": [(2, 2), (2, 2)], "bij,bjk->bik": [(2, 2, 3), (2, 3, 2)], "bij,bjk->ik": [(2, 2, 3), (2, 3, 2)],
    "bij,bjk": [(1, 2, 3), (4, 3, 2)], "ik,jkl,il->ij": [(2, 3), (4, 3, 2), (2, 2)],
    "...ij->...ji": [(2, 3, 2, 2)], "...i,...i->...": [(2, 1, 3), (4, 3)], "i...->...": [(2, 3)],
    "...": [(2, 2)], "a...a->...a": [(2, 3, 2)], " a b , b -> a ": [(2, 3), (3,)],
    "ij,jk,kl,lm": [(2, 2), (2, 2), (2, 2), (2, 2)], "i,ij,i": [(2,), (2, 3), (2,)],
    "bhqd,bhkd->bhqk": [(2, 2, 3, 2), (2, 2, 4, 2)], "...ii->...i": [(2, 3, 3)], ",i": [(), (3,)],
    "ij,ij": [(1, 3), (2, 1)], "i...,ij->j...": [(2, 3), (2, 2)], "...->": [(2, 3)], "i->...i": [(3,)],
}

c = Cases(3)
for equation, shapes in EQUATIONS.items():
    c.add(equation, lambda *x: torch.einsum(equation, *x), *[c.input(*shape) for shape in shapes])
c.print()
