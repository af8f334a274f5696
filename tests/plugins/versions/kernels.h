/* The five kinds. */
#ifndef KERNELS_H
#define KERNELS_H

#include <tenon/plugin.h>

/* One pack; a bad index goes into `fault` where that has none yet. */
void run_pack(const TenonOp* op, const TenonPack* pack, TenonFault* fault);

#endif
