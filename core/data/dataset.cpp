// Rows are gathered on the host, from copies made once, so that any device will do.
#include <algorithm>

#include <tenon/data.h>

#include "core/base/fail.h"
#include "core/tensor/impl.h"

namespace tenon::data {

struct TensorDataset::Column {
  Column(const char* label, const Tensor& tensor);
  Tensor rows(std::span<const std::int64_t> indices) const;

  Shape shape;
  DType dtype;
  Device device;
  std::vector<std::byte> bytes;
};

struct TensorDataset::Table {
  Column x, y;
};

namespace {

const Tensor& checked(const char* label, const Tensor& tensor) {
  require(tensor.defined(), "[TensorDataset] {} is undefined", label);
  require(tensor.rank() > 0, "[TensorDataset] {} is 0-d: it has no rows", label);
  return tensor;
}

}  // namespace

TensorDataset::Column::Column(const char* label, const Tensor& tensor)
    : shape(checked(label, tensor).shape()),
      dtype(tensor.dtype()),
      device(tensor.device()),
      bytes(static_cast<std::size_t>(byte_count("TensorDataset", tensor.shape(), tensor.dtype()))) {
  tensor.read(bytes);
}

Tensor TensorDataset::Column::rows(std::span<const std::int64_t> indices) const {
  Shape row = shape;
  row[0] = 1;
  const auto row_bytes = static_cast<std::size_t>(numel(row) * size_of(dtype));
  std::vector<std::byte> gathered(row_bytes * indices.size());
  auto end = gathered.begin();
  for (const std::int64_t index : indices) {
    require(index >= 0 && index < shape[0], "[TensorDataset] index {} is out of range for {} rows",
            index, shape[0]);
    end = std::copy_n(bytes.data() + static_cast<std::size_t>(index) * row_bytes, row_bytes, end);
  }
  Shape result = shape;
  result[0] = static_cast<std::int64_t>(indices.size());
  return from_bytes(gathered, result, {.dtype = dtype, .device = device});
}

TensorDataset::TensorDataset(const Tensor& x, const Tensor& y)
    : table_(std::make_shared<const Table>(Table{Column("x", x), Column("y", y)})) {
  require(x.shape()[0] == y.shape()[0], "[TensorDataset] x and y differ in rows: {} and {}", x.shape(),
          y.shape());
}

std::int64_t TensorDataset::size() const {
  return table_->x.shape[0];
}

Example TensorDataset::rows(std::span<const std::int64_t> indices) const {
  return {table_->x.rows(indices), table_->y.rows(indices)};
}

}  // namespace tenon::data
