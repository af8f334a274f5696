// Helpers for plugins written in C++20; all of them are optional, plugin.h is the contract.
//
//   status.h        errors as exceptions inside, as codes at the border
//   structs.h       structs of another minor version
//   half.h          the 16-bit floats
//   dtype.h         dtypes as C++ types
//   opcode.h        opcodes: operands and dtypes
//   arithmetic.h    opcodes: what they mean
//   steps.h         opcodes: as loops over blocks
//   view.h          descriptions and packs, read
//   check.h         descriptions, validated
//   walk.h          strided iteration
//   cursor.h        operands, read and written in logical order
//   indices.h       the index operands of GATHER and SCATTER
//   host_memory.h   memory of the host as a device's memory
//   sync_device.h   a whole plugin from the functions of one class
//   kernels.h       kernels of all five kinds (a library: link tenon::kernels)
//
// Compile a plugin with hidden visibility: two plugins in one process share nothing then.
#pragma once

#include <tenon/sdk/arithmetic.h>
#include <tenon/sdk/check.h>
#include <tenon/sdk/cursor.h>
#include <tenon/sdk/dtype.h>
#include <tenon/sdk/half.h>
#include <tenon/sdk/host_memory.h>
#include <tenon/sdk/indices.h>
#include <tenon/sdk/kernels.h>
#include <tenon/sdk/opcode.h>
#include <tenon/sdk/status.h>
#include <tenon/sdk/steps.h>
#include <tenon/sdk/structs.h>
#include <tenon/sdk/sync_device.h>
#include <tenon/sdk/view.h>
#include <tenon/sdk/walk.h>
