// Neural networks: modules, layers, losses and initial values.
#pragma once

#include <tenon/nn/activations.h>
#include <tenon/nn/clip.h>
#include <tenon/nn/containers.h>
#include <tenon/nn/init.h>
#include <tenon/nn/layers.h>
#include <tenon/nn/losses.h>
#include <tenon/nn/margin_losses.h>
#include <tenon/nn/module.h>
