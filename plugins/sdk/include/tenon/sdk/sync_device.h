// A whole plugin from one class: a device that computes on the host, in the calling thread.
//
//   struct MyDevice : tenon::sdk::SyncDevice {
//     static constexpr const char* kName = "acme";
//     static constexpr const char* kVersion = "1.0.0";
//     static void describe(uint32_t index, TenonDeviceInfo& info);  // the info starts with defaults
//     explicit MyDevice(uint32_t index);
//
//     struct Kernel;
//     int32_t prepare(const TenonOp& op, Kernel** kernel, TenonKernelInfo& info);
//     int32_t launch(const Kernel& kernel, const TenonLaunch& launch);
//     void release(Kernel* kernel);
//   };
//
//   extern "C" const TenonPlugin* tenon_plugin_main(const TenonHost* host, const char** why) {
//     return tenon::sdk::enter<MyDevice>(host, why);
//   }
//
// Everything else has a default below that the class may hide with its own. What throws becomes a
// status (status.h).
#pragma once

#include <cstdint>
#include <memory>

#include <tenon/plugin.h>
#include <tenon/sdk/host_memory.h>
#include <tenon/sdk/status.h>
#include <tenon/sdk/structs.h>

// Hidden whatever the compiler's flags are: each plugin has a host and a table of its own.
namespace tenon {
namespace __attribute__((visibility("hidden"))) sdk {

  /// The limits of a device that takes all programs and ranks that the ABI has.
  inline void take_whole_programs(TenonDeviceInfo & info) {
    info.max_rank = TENON_MAX_RANK;
    info.max_instructions = TENON_MAX_INSTRUCTIONS;
    info.max_inputs = TENON_MAX_INPUTS;
    info.max_outputs = TENON_MAX_OUTPUTS;
    info.max_scalars = TENON_MAX_SCALARS;
    info.max_constants = TENON_MAX_CONSTANTS;
  }

  inline const TenonHost* the_host = nullptr;

  /// What the core offers; set from `enter` on.
  inline const TenonHost& host() {
    return *the_host;
  }

  /// The defaults: one device, host memory, default device of last resort.
  class SyncDevice {
   public:
    static int32_t score() { return 0; }
    static uint32_t device_count() { return 1; }
    static void shutdown() {}
    static const void* get_ext(const char*) { return nullptr; }

    TenonMem mem_alloc(uint32_t space, uint64_t bytes, uint64_t alignment = HostMemory::kAlignment) {
      return memory_.allocate(space, bytes, alignment);
    }
    void mem_free(uint64_t handle) { memory_.free(handle); }
    TenonMem mem_import(const TenonImport& what) { return memory_.import_memory(what); }
    TenonMemInfo mem_info() { return memory_.info(); }
    void set_memory_limit(uint64_t bytes) { memory_.set_limit(bytes); }

    void copy(const TenonCopy& copy) { HostMemory::copy(copy); }
    void fill(const TenonFill& fill) { HostMemory::fill(fill); }

   private:
    HostMemory memory_;
  };

  /// The functions of a table, each with what the ABI asks around the class's own.
  template <class D>
  struct Calls {
    using Kernel = typename D::Kernel;
    static D& of(TenonDevice* device) { return *reinterpret_cast<D*>(device); }
    static Kernel* of(TenonKernel* kernel) { return reinterpret_cast<Kernel*>(kernel); }

    /// guarded, for a body that returns nothing.
    template <class Body>
    static int32_t run(Body&& body) noexcept {
      return guarded(host(), [&] {
        body();
        return int32_t{TENON_OK};
      });
    }

    static TenonDeviceInfo described(uint32_t index) {
      if (index >= D::device_count()) throw Failure(TENON_INVALID, "no device of this index");
      TenonDeviceInfo info{};
      info.flags = TENON_DEVICE_UNIFIED;
      info.driver = "";
      take_whole_programs(info);
      info.mem_alignment = HostMemory::kAlignment;
      info.import_alignment = 1;
      info.dlpack_type = 1;  // kDLCPU
      D::describe(index, info);
      return info;
    }

    static int32_t device_info(uint32_t index, TenonDeviceInfo* info) noexcept {
      return run([&] { answer(*info, described(index)); });
    }
    static int32_t device_open(uint32_t index, TenonDevice** device) noexcept {
      return run([&] {
        const uint64_t memory = described(index).memory_bytes;
        auto opened = std::make_unique<D>(index);
        opened->set_memory_limit(memory);
        *device = reinterpret_cast<TenonDevice*>(opened.release());
      });
    }
    static void device_close(TenonDevice* device) noexcept { delete &of(device); }

    static int32_t mem_alloc(TenonDevice* device, uint32_t space, uint64_t bytes,
                             TenonMem* mem) noexcept {
      return run([&] { answer(*mem, of(device).mem_alloc(space, bytes)); });
    }
    static void mem_free(TenonDevice* device, uint64_t handle) noexcept { of(device).mem_free(handle); }
    static int32_t mem_import(TenonDevice* device, const TenonImport* what, TenonMem* mem) noexcept {
      return run([&] { answer(*mem, of(device).mem_import(read(*what))); });
    }
    static int32_t mem_info(TenonDevice* device, TenonMemInfo* info) noexcept {
      return run([&] { answer(*info, of(device).mem_info()); });
    }

    static int32_t copy(TenonDevice* device, TenonStream*, const TenonCopy* copies,
                        uint32_t count) noexcept {
      return run([&] {
        for (uint32_t i = 0; i < count; ++i) of(device).copy(copies[i]);
      });
    }
    static int32_t fill(TenonDevice* device, TenonStream*, const TenonFill* fill) noexcept {
      return run([&] { of(device).fill(read(*fill)); });
    }

    static int32_t prepare(TenonDevice* device, const TenonOp* op, TenonKernel** kernel,
                           TenonKernelInfo* info) noexcept {
      return guarded(host(), [&] {
        TenonKernelInfo needs{};
        Kernel* made = nullptr;
        const int32_t status = of(device).prepare(*op, &made, needs);
        *kernel = reinterpret_cast<TenonKernel*>(made);
        answer(*info, needs);
        return status;
      });
    }
    static int32_t launch(TenonDevice* device, TenonStream*, TenonKernel* kernel,
                          const TenonLaunch* launch) noexcept {
      return guarded(host(), [&] { return of(device).launch(*of(kernel), read(*launch)); });
    }
    static void release(TenonDevice* device, TenonKernel* kernel) noexcept {
      of(device).release(of(kernel));
    }
  };

  /// The table of a plugin that is one class, in the order of plugin.h.
  template <class D>
  constexpr TenonPlugin make_table() {
    using C = Calls<D>;
    return {TENON_PLUGIN_STAMP(D::kName, D::kVersion),
            // registry
            D::score, D::device_count, C::device_info, C::device_open, C::device_close, D::shutdown,
            D::get_ext,
            // memory
            C::mem_alloc, C::mem_free, C::mem_import, C::mem_info,
            // transfer
            C::copy, C::fill,
            // streams: none, the device is synchronous
            nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
            // compute; no workspace
            C::prepare, nullptr, C::launch, C::release};
  }

  /// The body of tenon_plugin_main.
  template <class D>
  const TenonPlugin* enter(const TenonHost* given, const char** why) {
    static constexpr TenonPlugin table = make_table<D>();
    if (given->abi >> 16 != TENON_ABI_MAJOR) {
      *why = "the plugin was built for another major version of the Tenon ABI; rebuild it";
      return nullptr;
    }
    the_host = given;
    return &table;
  }

}  // namespace sdk
}  // namespace tenon
