# Numbers in equal steps by PyTorch 2.15, those of arange by NumPy 2.4:
#   python tests/figures/ranges.py > tests/figures/ranges.h && clang-format-19 -i tests/figures/ranges.h
import numpy as np
import torch


def numbers(values):
    return "{" + ", ".join(repr(float(v)) for v in values) + "}"


def rows(name, others):
    print(f"inline const std::vector<Range> {name} = {{")
    for start, stop, more, values in others:
        print(f"{{{start!r}, {stop!r}, {more!r}, {numbers(values)}}},")
    print("};")


print("// Made by tests/figures/ranges.py.")
print("#pragma once\n\n#include <vector>\n\nnamespace tenon::test::figures {\n")
print("/// `more` is arange's step, the others' count.")
print("struct Range {\ndouble start, stop, more;\nstd::vector<double> values;\n};")
steps = [(0.0, 1.0, 0.1), (0.5, 3.0, 0.7), (1.0, -1.0, -0.3), (0.0, 3.0, 1.0), (2.0, 2.0, 0.5),
         (1.0, 0.0, 0.25), (0.0, 1e-3, 1e-4), (-5.0, 5.0, 3.5), (0.0, 0.3, 0.1)]
rows("kArange", [(a, b, s, np.arange(a, b, s)) for a, b, s in steps])
spaces = [(0.0, 1.0, 5), (-1.0, 1.0, 4), (3.0, -2.0, 7), (2.0, 9.0, 1), (2.0, 9.0, 0), (0.1, 0.2, 2),
          (0.0, 1e6, 11)]
rows("kLinspace", [(a, b, n, torch.linspace(a, b, n, dtype=torch.double)) for a, b, n in spaces])
rows("kOpen", [(a, b, n, np.linspace(a, b, n, endpoint=False)) for a, b, n in spaces])
rows("kLogspace", [(a, b, n, torch.logspace(a, b, n, dtype=torch.double))
                            for a, b, n in spaces if b < 100])
rows("kLogspaceOfTwo", [(a, b, n, torch.logspace(a, b, n, 2, dtype=torch.double))
                                 for a, b, n in spaces if b < 100])
print("\n}  // namespace tenon::test::figures")
