#include "plugins/faulty/transfer.h"

#include <cstring>
#include <memory>
#include <vector>

#include "plugins/faulty/memory.h"
#include "plugins/faulty/stream.h"
#include "plugins/faulty/text.h"

namespace faulty {
namespace {

struct Transfer {
  Pin src, dst;
  std::vector<std::byte> captured;
  std::byte* to = nullptr;
  const std::byte* from = nullptr;
  std::size_t bytes = 0;
};

std::byte* host_address(std::uint64_t address) {
  return reinterpret_cast<std::byte*>(address);
}

std::byte* hold(const char* who, Pin& pin, std::uint64_t handle, std::uint64_t offset,
                std::uint64_t bytes) {
  pin = heap().pin(who, handle, offset, bytes);
  check_range(who, pin.block(), offset, bytes);
  return pin.block().data() + offset;
}

void check_overlap(const Transfer& transfer) {
  const auto to = reinterpret_cast<std::uintptr_t>(transfer.to);
  const auto from = reinterpret_cast<std::uintptr_t>(transfer.from);
  const std::uintptr_t apart = to < from ? from - to : to - from;
  if (apart == 0 || apart >= transfer.bytes) return;
  throw Failure(TENON_INVALID, text("[faulty] copy: ", transfer.bytes,
                                    " bytes overlap their source by ", transfer.bytes - apart));
}

}  // namespace

void enqueue(TenonStream& stream, const TenonCopy& copy) {
  if (copy.bytes == 0) return;
  const auto transfer = std::make_shared<Transfer>();
  transfer->bytes = copy.bytes;
  if ((copy.src == 0 && copy.src_offset == 0) || (copy.dst == 0 && copy.dst_offset == 0)) {
    throw Failure(TENON_INVALID, text("[faulty] copy: ", copy.bytes, " bytes at host address NULL"));
  }
  if (copy.src != 0) {
    transfer->from =
        hold("[faulty] copy: source", transfer->src, copy.src, copy.src_offset, copy.bytes);
  }
  transfer->to = copy.dst == 0 ? host_address(copy.dst_offset)
                               : hold("[faulty] copy: destination", transfer->dst, copy.dst,
                                      copy.dst_offset, copy.bytes);
  if (copy.src == 0) {
    const std::byte* src = host_address(copy.src_offset);
    transfer->captured.assign(src, src + copy.bytes);
    transfer->from = transfer->captured.data();
  }
  check_overlap(*transfer);
  const auto move = [transfer] { std::memmove(transfer->to, transfer->from, transfer->bytes); };
  if (copy.dst != 0) return stream.push(move);
  stream.push([move, &device = stream.device()] { device.write_to_host(move); });
}

void enqueue(TenonStream& stream, const TenonFill& fill) {
  const std::uint32_t size = fill.value_bytes;
  if ((size != 1 && size != 2 && size != 4 && size != 8) || fill.bytes % size != 0) {
    throw Failure(TENON_INVALID, text("[faulty] fill: ", fill.bytes, " bytes with a value of ", size));
  }
  if (fill.bytes == 0) return;
  const auto transfer = std::make_shared<Transfer>();
  transfer->bytes = fill.bytes;
  transfer->to = hold("[faulty] fill", transfer->dst, fill.dst, fill.dst_offset, fill.bytes);
  stream.push([transfer, size, value = fill.value] {
    for (std::size_t i = 0; i < transfer->bytes; i += size) std::memcpy(transfer->to + i, &value, size);
  });
}

}  // namespace faulty
