// Losses that are 0 beyond a margin. y is 1 or -1: which of two sides is right.
#pragma once

#include <tenon/nn/losses.h>

#pragma GCC visibility push(default)
namespace tenon::nn {

struct HingeEmbeddingLossOptions {
  LossReduction reduction = LossReduction::mean;
  double margin = 1;
};

/// x where y is 1, max(0, margin - x) where it is -1, and their sum elsewhere, of distances x; one
/// launch.
class HingeEmbeddingLoss : public Layer<HingeEmbeddingLoss> {
 public:
  explicit HingeEmbeddingLoss(HingeEmbeddingLossOptions options = {}) : options_(options) {}
  Tensor forward(const Tensor& x, const Tensor& y) const;

 private:
  HingeEmbeddingLossOptions options_;
};

struct MarginRankingLossOptions {
  LossReduction reduction = LossReduction::mean;
  double margin = 0;
};

/// max(0, -y·(a - b) + margin), all of one shape; one launch.
class MarginRankingLoss : public Layer<MarginRankingLoss> {
 public:
  explicit MarginRankingLoss(MarginRankingLossOptions options = {}) : options_(options) {}
  Tensor forward(const Tensor& a, const Tensor& b, const Tensor& y) const;

 private:
  MarginRankingLossOptions options_;
};

/// log(1 + exp(-x·y)), which has no margin but a soft one; one launch.
class SoftMarginLoss : public Layer<SoftMarginLoss> {
 public:
  explicit SoftMarginLoss(LossOptions options = {}) : options_(options) {}
  Tensor forward(const Tensor& x, const Tensor& y) const;

 private:
  LossOptions options_;
};

struct CosineEmbeddingLossOptions {
  LossReduction reduction = LossReduction::mean;
  double margin = 0;
};

/// 1 - cos where y is 1, max(0, cos - margin) where it is -1, else 0; cos is of the angle between a and
/// b, (..., D), and y is (...); two launches.
class CosineEmbeddingLoss : public Layer<CosineEmbeddingLoss> {
 public:
  explicit CosineEmbeddingLoss(CosineEmbeddingLossOptions options = {}) : options_(options) {}
  Tensor forward(const Tensor& a, const Tensor& b, const Tensor& y) const;

 private:
  CosineEmbeddingLossOptions options_;
};

struct TripletMarginLossOptions {
  LossReduction reduction = LossReduction::mean;
  double margin = 1;
  double p = 2;       ///< of the norm, above 0 and finite
  double eps = 1e-6;  ///< added to each difference
  bool swap = false;  ///< the negative's distance is the lesser of those from anchor and positive
};

/// max(0, |anchor - positive| - |anchor - negative| + margin) (Balntas et al., 2016), all (..., D); two
/// launches.
class TripletMarginLoss : public Layer<TripletMarginLoss> {
 public:
  explicit TripletMarginLoss(TripletMarginLossOptions options = {});
  Tensor forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative) const;

 private:
  TripletMarginLossOptions options_;
};

}  // namespace tenon::nn
#pragma GCC visibility pop
