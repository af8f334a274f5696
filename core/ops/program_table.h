// Programs by what they are for, so that no call builds one twice.
#pragma once

#include <tenon/program.h>

#include "core/base/permanent_table.h"

namespace tenon::ops {

template <class Key>
using ProgramTable = PermanentTable<Key, program::Program>;

}  // namespace tenon::ops
