// All of Tenon.
#pragma once

#include <tenon/amp.h>
#include <tenon/autograd.h>
#include <tenon/creation.h>
#include <tenon/data.h>
#include <tenon/device.h>
#include <tenon/dlpack.h>
#include <tenon/dtype.h>
#include <tenon/error.h>
#include <tenon/fallback.h>
#include <tenon/half.h>
#include <tenon/hooks.h>
#include <tenon/io.h>
#include <tenon/log.h>
#include <tenon/memory.h>
#include <tenon/nn.h>
#include <tenon/ops.h>
#include <tenon/optim.h>
#include <tenon/program.h>
#include <tenon/random.h>
#include <tenon/scalar.h>
#include <tenon/shape.h>
#include <tenon/tensor.h>
#include <tenon/version.h>
