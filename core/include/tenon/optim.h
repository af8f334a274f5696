// Optimisers and schedules of their learning rates.
#pragma once

#include <tenon/optim/optimizers.h>
#include <tenon/optim/schedules.h>
