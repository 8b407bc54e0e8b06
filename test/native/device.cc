#include "device.h"

#include <cstdarg>
#include <cstdio>

namespace transweld {

std::string text(const char* format, ...) {
  char line[1024];
  va_list list;
  va_start(list, format);
  std::vsnprintf(line, sizeof line, format, list);
  va_end(list);
  return line;
}

Opened::Opened(const std::string& library, uint32_t device) {
  const Backend backend = find_backend(library);
  if (!backend.table) throw std::runtime_error(backend.reason);
  table = backend.table;
  const Listing listing = list_devices(*table);
  if (device >= listing.devices.size()) {
    const std::string why = listing.why.empty() ? "" : ": " + listing.why;
    throw std::runtime_error(text("expected device %u but there are %zu", device, listing.devices.size()) + why);
  }
  info = listing.devices[device];
  char why[512] = "";
  if (table->open(device, 0, nullptr, &context, why, sizeof why) != TW_OK) throw std::runtime_error(text("%s does not open: %s", info.name, why));
}

void Opened::wait() {
  uint64_t late_call = 0;
  must(table->wait(context, &late_call), "wait");
}

void Opened::must(tw_status status, const char* what) const {
  if (status != TW_OK) throw std::runtime_error(text("%s failed with status %d: %s", what, status, table->last_error(context)));
}

}   // namespace transweld
