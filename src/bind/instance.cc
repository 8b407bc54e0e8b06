#include "instance.h"

namespace transweld {

constexpr uint32_t kIndexBits = 24;      // 16 M tensors at once; 2^29 generations of each fit a double
constexpr double kIndices = 1u << kIndexBits;
constexpr uint32_t kGenerations = 1u << 29;

// Native memory counts fully in JavaScript's collector; a GPU's would drive it mad: a sixteenth of it.
constexpr int64_t kCpuShare = 1, kGpuShare = 16;

double Instance::add_device(const tw_op_table* table, uint32_t index, uint64_t limit_bytes, bool is_gpu) {
  auto device = std::make_unique<Device>();
  device->engine = std::make_shared<Engine>(table, index, limit_bytes, is_gpu);
  device->queue = std::make_unique<Queue>(env);
  device->external_share = is_gpu ? kGpuShare : kCpuShare;
  devices_.push_back(std::move(device));
  return static_cast<double>(devices_.size() - 1);
}

Device& Instance::device(double id) {
  if (!(id >= 0 && id < static_cast<double>(devices_.size()))) raise(TW_INTERNAL, "no such device id");
  auto& device = devices_[static_cast<size_t>(id)];
  if (!device) raise(kDisposed, "expected an open device but received one that was disposed");
  return *device;
}

void Instance::close_device(double id) {
  Device& open = device(id);
  open.engine->request_stop();
  open.queue->stop();
  open.queue->settle_dropped({kDisposed, "the device was disposed before this could be read"});
  for (uint32_t i = 0; i < slots_.size(); i++) if (slots_[i].block && slots_[i].block->engine == open.engine) drop(i);
  devices_[static_cast<size_t>(id)].reset();
}

double Instance::add_block(double device_id, uint64_t bytes) {
  Device& owner = device(device_id);
  auto block = std::make_shared<Block>(owner.engine, bytes);
  uint32_t index;
  if (!free_slots_.empty()) {
    index = free_slots_.back();
    free_slots_.pop_back();
  } else {
    index = static_cast<uint32_t>(slots_.size());
    if (index >= kIndices) raise(TW_MEMORY, "expected at most 16777216 tensors at once");
    slots_.emplace_back();
  }
  Slot& slot = slots_[index];
  slot.block = std::move(block);
  slot.device = static_cast<uint32_t>(device_id);
  int64_t total;
  napi_adjust_external_memory(env, static_cast<int64_t>(bytes) / owner.external_share, &total);
  return index + slot.generation * kIndices;
}

Slot* Instance::find(double id) {
  if (!(id >= 0 && id < kIndices * kGenerations)) return nullptr;
  auto whole = static_cast<uint64_t>(id);
  uint64_t index = whole & ((1u << kIndexBits) - 1);
  if (index >= slots_.size()) return nullptr;
  Slot& slot = slots_[index];
  return slot.block && slot.generation == whole >> kIndexBits ? &slot : nullptr;
}

void Instance::set_owner(double id, napi_ref owner) {
  if (Slot* slot = find(id)) slot->owner = owner;
}

const std::shared_ptr<Block>& Instance::block(double id) {
  Slot* slot = find(id);
  if (!slot) raise(kDisposed, "expected a tensor but received one that was disposed");
  return slot->block;
}

bool Instance::release(double id) {
  Slot* slot = find(id);
  if (slot) drop(static_cast<uint32_t>(slot - slots_.data()));
  return slot != nullptr;
}

void Instance::drop(uint32_t index) {
  Slot& slot = slots_[index];
  int64_t total;
  napi_adjust_external_memory(env, -(static_cast<int64_t>(slot.block->bytes) / devices_[slot.device]->external_share), &total);
  if (slot.owner) napi_delete_reference(env, slot.owner);
  slot.owner = nullptr;
  slot.block.reset();                     // a queued job may hold it still
  slot.generation = (slot.generation + 1) % kGenerations;
  free_slots_.push_back(index);
}

// Out of memory: blocks whose owner was collected are released without waiting for finalizers, which run in a later turn;
// then the queue is emptied, because jobs hold the blocks that they were given.
void Instance::reclaim(double device_id) {
  Queue& queue = *device(device_id).queue;
  napi_handle_scope scope;
  napi_open_handle_scope(env, &scope);
  for (uint32_t i = 0; i < slots_.size(); i++) {
    if (!slots_[i].block || !slots_[i].owner) continue;
    napi_value owner = nullptr;
    napi_get_reference_value(env, slots_[i].owner, &owner);
    if (!owner) drop(i);
  }
  napi_close_handle_scope(env, scope);
  queue.drain();
}

void Instance::shut_down() {
  if (is_shut_down_) return;
  is_shut_down_ = true;
  for (auto& device : devices_) if (device) device->engine->request_stop();
  devices_.clear();                       // joins the threads and drops what has not begun
  for (auto& slot : slots_) if (slot.owner) napi_delete_reference(env, slot.owner);
  slots_.clear();
  free_slots_.clear();
}

}   // namespace transweld
