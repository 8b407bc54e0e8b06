// An open context of any table of ops, and memory of it. Failures are exceptions with the table's words.
#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>
#include "bind/rows.h"
#include "registry.h"

namespace transweld {

std::string text(const char* format, ...) __attribute__((format(printf, 1, 2)));

class Opened {
 public:
  Opened(const std::string& library, uint32_t device);
  ~Opened() { table->close(context); }
  Opened(const Opened&) = delete;

  void run(const Row& row, const void* args) { must((table->*row.entry)(context, args), row.name); }
  void wait();
  void must(tw_status status, const char* what) const;

  const tw_op_table* table;
  tw_device info;
  tw_context* context = nullptr;
};

// Memory of a context.
class Memory {
 public:
  Memory(Opened& opened, uint64_t bytes) : bytes(bytes), opened_(opened) {
    opened.must(opened.table->alloc(opened.context, bytes, &data), "alloc");
  }
  ~Memory() { if (data) opened_.table->free(opened_.context, data, bytes); }
  Memory(Memory&& other) noexcept : data(other.data), bytes(other.bytes), opened_(other.opened_) { other.data = nullptr; }
  Memory(const Memory&) = delete;

  void write(const void* from) { copy(data, from, TW_TO_DEVICE); }
  void read(void* to) { copy(to, data, TW_FROM_DEVICE); }

  void* data = nullptr;
  uint64_t bytes;

 private:
  void copy(void* to, const void* from, uint32_t direction) {
    if (bytes) opened_.must(opened_.table->copy(opened_.context, to, from, bytes, direction), "copy");
  }
  Opened& opened_;
};

}   // namespace transweld
