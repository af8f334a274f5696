// Operations on tensors, all of them.
#pragma once

#include <tenon/arrange.h>
#include <tenon/composite.h>
#include <tenon/elementwise.h>
#include <tenon/index.h>
#include <tenon/matmul.h>
#include <tenon/reduce.h>
#include <tenon/scan.h>
#include <tenon/sort.h>
