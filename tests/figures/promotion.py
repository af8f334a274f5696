# What two dtypes, and a dtype with a Python number, promote to by NumPy 2.4 and PyTorch 2.15:
#   python tests/figures/promotion.py > tests/figures/promotion.h &&
#   clang-format-19 -i tests/figures/promotion.h
import numpy as np
import torch

LONG = {"bool": "bool", "u8": "uint8", "i8": "int8", "u16": "uint16", "i16": "int16", "u32": "uint32",
        "i32": "int32", "u64": "uint64", "i64": "int64", "f16": "float16", "bf16": "bfloat16",
        "f32": "float32", "f64": "float64"}
SHORT = {long: short for short, long in LONG.items()}


def by_numpy(a, b):
    if "bf16" in (a, b):
        return "-"
    b = b if not isinstance(b, str) else np.dtype(LONG[b])
    return SHORT[np.result_type(np.dtype(LONG[a]), b).name]


def by_torch(a, b):
    b = b if not isinstance(b, str) else torch.zeros(1, dtype=getattr(torch, LONG[b]))
    try:
        return SHORT[str(torch.result_type(torch.zeros(1, dtype=getattr(torch, LONG[a])), b))[6:]]
    except RuntimeError:
        return "-"


print("// Made by tests/figures/promotion.py.")
print("#pragma once\n\n#include <vector>\n\nnamespace tenon::test::figures {\n")
print('/// "-" where it has no answer.')
print("struct Promoted {\nconst char *a, *b, *by_numpy, *by_torch;\n};")
print("inline const std::vector<Promoted> kPromoted = {")
for a in LONG:
    for b in LONG:
        print(f'{{"{a}", "{b}", "{by_numpy(a, b)}", "{by_torch(a, b)}"}},')
print("};")
print("/// A tensor of a dtype with a Python bool, int and float.")
print("inline const std::vector<Promoted> kPromotedByNumber = {")
for a in LONG:
    for kind, b in (("bool", True), ("int", 2), ("float", 2.5)):
        print(f'{{"{a}", "{kind}", "{by_numpy(a, b)}", "{by_torch(a, b)}"}},')
print("};\n\n}  // namespace tenon::test::figures")
