#include "registry.h"
#include "cpu/table.h"
#include "module_open.h"

namespace transweld {

// Refuses a table that this build cannot call: another contract, or one with fewer entries than ours.
static Backend check(const tw_op_table* table, const std::string& path) {
  const std::string ours = "contract " + std::to_string(TW_ABI) + " with a table of " + std::to_string(sizeof(tw_op_table)) + " bytes";
  if (!table) return {nullptr, path + ": the library refuses " + ours + ": it was built from another version"};
  if (table->abi_version != TW_ABI || table->struct_size < sizeof(tw_op_table)) {
    return {nullptr, path + ": the library speaks contract " + std::to_string(table->abi_version) + " with a table of " +
                         std::to_string(table->struct_size) + " bytes, but " + ours + " is needed: it was built from another version"};
  }
  return {table, ""};
}

Backend find_backend(const std::string& path) {
  if (path.empty()) return check(tw_cpu_table(TW_ABI), "built-in CPU backend");
  Module module = module_open(path, "transweld_table");
  if (!module.symbol) return {nullptr, module.reason};
  return check(reinterpret_cast<tw_table_entry*>(module.symbol)(TW_ABI), path);
}

Listing list_devices(const tw_op_table& table) {
  constexpr uint32_t kRoom = 64;
  std::vector<tw_device> devices(kRoom);
  char why[1024] = "";
  uint32_t count = table.devices(devices.data(), kRoom, why, sizeof why);
  devices.resize(count < kRoom ? count : kRoom);
  return {devices, why};
}

}   // namespace transweld
