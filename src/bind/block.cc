#include "block.h"
#include "late.h"

namespace transweld {

constexpr uint64_t kLeastBytes = 64;
static uint64_t room(uint64_t bytes) { return bytes < kLeastBytes ? kLeastBytes : bytes; }

static std::string text(uint64_t value) { return std::to_string(value); }

Engine::Engine(const tw_op_table* table, uint32_t device, uint64_t limit_bytes, bool is_deferred)
    : table(table), late(is_deferred ? std::make_unique<LateCalls>() : nullptr) {
  char why[512] = "";
  tw_status status = table->open(device, limit_bytes, &stop, &context, why, sizeof why);
  if (status == TW_OK) return;
  raise(status, "device " + text(device) + " could not be opened" + (*why ? std::string(": ") + why : ""));
}

Engine::~Engine() { table->close(context); }

Block::Block(std::shared_ptr<Engine> owner, uint64_t bytes) : engine(std::move(owner)), bytes(bytes) {
  tw_status status = engine->table->alloc(engine->context, room(bytes), &data);
  if (status == TW_OK) return;
  tw_memory memory = {};
  engine->table->memory(engine->context, &memory);
  raise(status, "expected room for " + text(bytes) + " bytes but " + text(memory.used_bytes) + " are in use" +
                    (memory.limit_bytes ? " of a limit of " + text(memory.limit_bytes) : "") +
                    ". Dispose of tensors that are done with, or use a smaller batch");
}

Block::~Block() { engine->table->free(engine->context, data, room(bytes)); }

}   // namespace transweld
