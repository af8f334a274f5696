# Figures of scans, order statistics, searching and counting by PyTorch 2.15:
#   python tests/figures/sort.py > tests/figures/sort.h && clang-format-19 -i tests/figures/sort.h
import torch

torch.manual_seed(5)
x = torch.round(torch.randn(6, 7, dtype=torch.double) * 8) / 8  # exact in f32, with equals
x[x == 0] = 0.125
distinct = x + torch.arange(42, dtype=torch.double).view(6, 7) / 512
q = torch.tensor([0.0, 0.125, 0.25, 0.5, 0.875, 1.0], dtype=torch.double)
edges = torch.tensor([-1.0, -0.25, 0.125, 0.5, 1.25], dtype=torch.double)


def vector(name, values):
    numbers = ", ".join(repr(float(v)) for v in torch.as_tensor(values).detach().flatten().tolist())
    print(f"inline const std::vector<double> {name} = {{{numbers}}};")


def gradient(f):
    leaf = distinct.clone().requires_grad_()
    return torch.autograd.grad(f(leaf).sum(), leaf)[0]


print("// Made by tests/figures/sort.py.")
print("#pragma once\n\n#include <vector>\n\nnamespace tenon::test::figures {\n")
vector("kX", x)
vector("kDistinct", distinct)
vector("kQ", q)
print("/// By interpolation: linear, lower, higher, nearest, midpoint.")
print("inline const std::vector<std::vector<double>> kQuantiles = {")
for way in ["linear", "lower", "higher", "nearest", "midpoint"]:
    values = torch.quantile(x, q, dim=0, interpolation=way)
    print("{" + ", ".join(repr(v) for v in values.flatten().tolist()) + "},")
print("};")
vector("kQuantileGradient", gradient(lambda y: torch.quantile(y, q, dim=0)))
vector("kMedians", torch.median(x, 1).values)
vector("kMedianPlaces", torch.median(distinct, 1).indices)
vector("kCummax", torch.cummax(x, 0).values)
vector("kCummaxPlaces", torch.cummax(x, 0).indices)
vector("kLogcumsumexp", torch.logcumsumexp(x, 1))
vector("kCumprodGradient", gradient(lambda y: torch.cumprod(y, 1)))
vector("kEdges", edges)
vector("kSearched", torch.searchsorted(edges, x))
vector("kSearchedRight", torch.searchsorted(edges, x, right=True))
vector("kHistogram", torch.histogram(x, edges).hist)
vector("kHistogramOfFive", torch.histogram(x, 5).hist)
vector("kFiveEdges", torch.histogram(x, 5).bin_edges)
vector("kDensity", torch.histogram(x, 5, range=(-1.0, 2.0), density=True).hist)
print("\n}  // namespace tenon::test::figures")
