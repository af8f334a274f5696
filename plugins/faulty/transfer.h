// Copies and fills. A host source is read before the call returns, a host destination is written late.
#pragma once

#include <tenon/plugin.h>

namespace faulty {

void enqueue(TenonStream& stream, const TenonCopy& copy);
void enqueue(TenonStream& stream, const TenonFill& fill);

}  // namespace faulty
