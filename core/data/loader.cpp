// A pass is an order of the rows, cut into batches.
#include <algorithm>
#include <numeric>

#include <tenon/data.h>

#include "core/base/fail.h"
#include "core/ops/shuffle.h"

namespace tenon::data {

DataLoader::DataLoader(TensorDataset dataset, DataLoaderOptions options)
    : dataset_(std::move(dataset)), options_(options), generator_(options.seed) {
  require(options.batch_size >= 1, "[DataLoader] batch_size is {}: it must be at least 1",
          options.batch_size);
}

std::int64_t DataLoader::size() const {
  const std::int64_t rows = dataset_.size(), batch = options_.batch_size;
  return rows / batch + (rows % batch != 0 && !options_.drop_last ? 1 : 0);
}

DataLoader::Iterator DataLoader::begin() {
  Iterator pass;
  pass.loader_ = this;
  if (options_.shuffle) {
    pass.order_ = random::shuffled(dataset_.size(), generator_);
  } else {
    pass.order_.resize(static_cast<std::size_t>(dataset_.size()));
    std::iota(pass.order_.begin(), pass.order_.end(), std::int64_t{0});
  }
  return pass;
}

Example DataLoader::Iterator::operator*() const {
  const std::int64_t begin = batch_ * loader_->options_.batch_size;
  const std::int64_t rows = std::min(loader_->options_.batch_size, loader_->dataset_.size() - begin);
  return loader_->dataset_.rows(
      std::span(order_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(rows)));
}

bool DataLoader::Iterator::operator==(std::default_sentinel_t) const {
  return batch_ >= loader_->size();
}

}  // namespace tenon::data
