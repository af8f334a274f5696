# Arrays as NumPy 2.4 prints them:
#   python tests/figures/print.py > tests/figures/print.h && clang-format-19 -i tests/figures/print.h
import numpy as np

rng = np.random.default_rng(5)
NAMES = {"float16": "f16", "float32": "f32", "float64": "f64", "bool": "bool_", "int8": "i8",
         "uint8": "u8", "int16": "i16", "uint16": "u16", "int32": "i32", "uint32": "u32",
         "int64": "i64", "uint64": "u64"}
DEFAULTS = dict(precision=8, threshold=1000, edgeitems=3, linewidth=75)
FIELDS = dict(precision="precision", threshold="threshold", edgeitems="edge_items",
              linewidth="line_width")


def number(v):
    if np.isnan(v):
        return "kNan"
    if np.isinf(v):
        return "kInf" if v > 0 else "-kInf"
    return repr(float(v))


def row(values, shape, dtype, **options):
    """The values, repeated to fill the shape."""
    with np.errstate(all="ignore"):
        rounded = np.array(values, dtype=np.float64).astype(dtype)
    x = np.resize(rounded, shape)
    np.set_printoptions(**(DEFAULTS | options))
    text = str(x).replace("True", "true").replace("False", "false")
    numbers = ", ".join(number(v) for v in rounded.astype(np.float64).ravel())
    extents = ", ".join(str(n) for n in shape)
    lines = "\n".join('"' + line.replace("\n", "") + r'\n"' for line in text.split("\n"))
    lines = lines[: -len(r'\n"')] + '"'
    o = ", ".join(f".{FIELDS[name]} = {value}" for name, value in options.items())
    print(f"{{{NAMES[np.dtype(dtype).name]}, {{{extents}}}, {{{numbers}}}, {{{o}}}, {lines}}},")


print("// Made by tests/figures/print.py.")
print("#pragma once\n\n#include <limits>\n#include <string>\n#include <vector>\n")
print("#include <tenon/tensor.h>\n\nnamespace tenon::test::figures {\n")
print("inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();")
print("inline constexpr double kInf = std::numeric_limits<double>::infinity();\n")
print("/// `values`, repeated to fill the shape.")
print("struct Printed {\nDType dtype;\nShape shape;\nstd::vector<double> values;\nPrintOptions options;\n"
      "std::string text;\n};")
print("inline const std::vector<Printed> kPrinted = {")
inf, nan = np.inf, np.nan
for dtype in ("float16", "float32", "float64"):
    for v in (2, 1 / 3, -0.0, 999.5, 1000, 65504, 1e-4, 9e-5, 6e-8, 123456, 1e6, 1e15, 1e16, 1e100, nan,
              -inf):
        row([v], (), dtype)
    row([99.9, 1 / 3], (2,), dtype)
    row([1e-3, 10], (2,), dtype)
    row([1e-3, 1.0000001, 1], (3,), dtype)
    row([nan, 1e9, -0.5], (3,), dtype)
    row([-inf, -0.25, 7], (2, 3), dtype)
    row([nan, inf], (2,), dtype)
    row([-0.0, 0.0], (2,), dtype)
    row([1e-100, 1, 1e100], (3,), dtype)
    row([65504, 99999990, 33554432, 16777216], (4,), dtype)
    row([99999992], (1,), dtype)
    row([1.5, 2.5], (2,), dtype, precision=0)
    row([1e-45, 5e-324], (2,), dtype)
    row([1e-10 + 1e-20], (1,), dtype, precision=4)
    row([0.9996, 0.0004], (2,), dtype, precision=3)
    row([1e-7, 1 / 3], (4,), dtype, precision=2, linewidth=20)
    for _ in range(5):
        size = 10.0 ** rng.integers(-3, 7)
        row(np.round(rng.normal(size=3) * size, int(rng.integers(0, 9))), (3,), dtype)
dtype = "float32"
row([0.5, -1.25, 1000.0625], (2, 2, 3), dtype)
row([1.5, -2.25, 3, 4.125, 5], (1001,), dtype)
row([1 / 3, -2 / 3, 10], (11,), dtype)
row([1 / 3, -2 / 3, 10], (11,), dtype, precision=3)
row([1.25, -3], (2, 20), dtype, linewidth=50)
row([1.25, -3, 8], (2, 3, 11), dtype, threshold=20, edgeitems=2)
row([1.25, -3, 8], (9, 9, 9), dtype, threshold=20, edgeitems=1)
row([1 / 7], (2, 9), dtype, threshold=0, edgeitems=4)
row([1 / 7, 2], (6,), dtype, linewidth=1)
for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"):
    row([1, 20, 100], (2, 3), dtype)
    row([7], (), dtype)
row([-20, 3], (45,), "int64")
row([3, 120], (50, 30), "int64")
row([1, 0], (2, 3), "bool")
row([1], (2,), "bool")
row([0], (), "bool")
row([1, 0, 0], (1, 2, 40), "bool")
row([1, -2], (1, 1, 1, 1, 1, 1, 1, 2), "int64")
row([1, -2], (2, 1, 2, 1, 2), "int32")
row([1, -2, 3], (1200, 1), "int64")
row([1, -2, 3], (2, 600), "int64", edgeitems=6)
print("};\n\n}  // namespace tenon::test::figures")
