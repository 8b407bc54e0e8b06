#include "cases.h"

#include <cstring>
#include <fstream>
#include <stdexcept>

namespace transweld {
namespace {

constexpr char kMagic[16] = "transweld cases";

struct Cursor {
  const std::byte* at;
  const std::byte* end;

  const std::byte* take(uint64_t bytes) {
    if (bytes > static_cast<uint64_t>(end - at)) throw std::runtime_error("the file of cases is cut short");
    const std::byte* taken = at;
    at += bytes;
    return taken;
  }
  template <class T> T next() {
    T value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }
  template <class T> std::vector<T> list(uint64_t count) {
    if (count > static_cast<uint64_t>(end - at) / sizeof(T)) throw std::runtime_error("the file of cases is cut short");
    std::vector<T> values(count);
    if (count) std::memcpy(values.data(), take(count * sizeof(T)), count * sizeof(T));
    return values;
  }
};

Case read_case(Cursor& cursor, size_t contents) {
  Case one{};
  const auto op = cursor.next<uint32_t>(), blocks = cursor.next<uint32_t>();
  if (op >= kRowCount) throw std::runtime_error("the file of cases names an op that this program does not know");
  one.row = &kRows[op];
  one.blocks = cursor.list<uint64_t>(blocks);
  one.numbers = cursor.list<double>(cursor.next<uint32_t>());
  size_t at = 0;
  for (uint32_t f = 0; f < one.row->field_count; f++, at++) {
    if (at >= one.numbers.size()) throw std::runtime_error(std::string("a case of ") + one.row->name + " has too few numbers");
    if (!is_view(one.row->fields[f].kind) || one.numbers[at] == -1) continue;
    at += 5;
    Held held{};
    held.before = cursor.next<int32_t>();
    held.after = cursor.next<int32_t>();
    held.near = cursor.next<int32_t>();
    cursor.next<uint32_t>();
    held.compared = cursor.next<uint64_t>();
    for (int32_t index : {held.before, held.after, held.near})
      if (index < kOwn || index >= static_cast<int64_t>(contents)) throw std::runtime_error("a case names contents that the file does not have");
    one.views.push_back(held);
  }
  if (at != one.numbers.size()) throw std::runtime_error(std::string("a case of ") + one.row->name + " has too many numbers");
  return one;
}

}   // namespace

Cases read_cases(const std::string& path) {
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) throw std::runtime_error("expected a file of cases at " + path + ": `node dist/test/native/generate.js` writes one");
  Cases cases;
  cases.file.resize(static_cast<size_t>(stream.tellg()));
  stream.seekg(0);
  stream.read(reinterpret_cast<char*>(cases.file.data()), static_cast<std::streamsize>(cases.file.size()));
  Cursor cursor{cases.file.data(), cases.file.data() + cases.file.size()};
  if (std::memcmp(cursor.take(sizeof kMagic), kMagic, sizeof kMagic) != 0) throw std::runtime_error(path + " is not a file of cases");
  if (const auto abi = cursor.next<uint32_t>(); abi != TW_ABI)
    throw std::runtime_error(path + " is of contract " + std::to_string(abi) + ", this program of " + std::to_string(TW_ABI));
  const auto contents = cursor.next<uint32_t>(), count = cursor.next<uint32_t>();
  const auto* bits = reinterpret_cast<const char*>(cursor.take(32));
  cases.bits.assign(bits, strnlen(bits, 32));
  for (uint32_t i = 0; i < contents; i++) {
    const auto bytes = cursor.next<uint64_t>();
    cases.contents.push_back({cursor.take(bytes), bytes});
  }
  for (uint32_t i = 0; i < count; i++) cases.list.push_back(read_case(cursor, cases.contents.size()));
  return cases;
}

}   // namespace transweld
