// Descriptions of ops, made of a fuzzer's bytes: each fits together, as far as it goes.
#pragma once

#include "tests/conformance/op_block.h"
#include "tests/fuzz/support/bytes.h"

namespace tenon::fuzz {

/// Of any kind, with programs, tables and attributes.
conformance::OpSpec describe_op(Bytes& in);

/// The description with up to four bytes changed, so that it may contradict itself.
conformance::Block damaged(conformance::Block block, Bytes& in);

}  // namespace tenon::fuzz
