#include "replay.h"

#include <algorithm>
#include <cstring>

#include "compare.h"

namespace transweld {
namespace {

constexpr uint64_t kGuard = 64;   // bytes behind each block that no op may touch

template <class T> T& at(std::vector<std::byte>& args, uint32_t offset) { return *reinterpret_cast<T*>(args.data() + offset); }

const Row& row_of(const char* name) {
  return *std::find_if(kRows, kRows + kRowCount, [name](const Row& row) { return std::strcmp(row.name, name) == 0; });
}

uint32_t word_of(const Row& row, const std::vector<std::byte>& args, const char* name) {
  for (uint32_t f = 0; f < row.field_count; f++) {
    if (std::strcmp(row.fields[f].name, name) != 0) continue;
    uint32_t word;
    std::memcpy(&word, args.data() + row.fields[f].offset, sizeof word);
    return word;
  }
  return 0;
}

// Calls f(byte offset in the block, byte offset in dense rows, bytes) for each row of a view.
template <class F> void each_row(const tw_view& v, uint64_t first, const F& f) {
  const uint64_t size = tw_dtype_bytes(v.dtype);
  for (uint64_t r = 0; r < v.rows && v.columns; r++) f(first + r * v.stride * size, r * v.columns * size, v.columns * size);
}

}   // namespace

std::string shape_text(const tw_view& v) {
  return text("[%zu, %zu] %s", static_cast<size_t>(v.rows), static_cast<size_t>(v.columns), tw_dtype_name(v.dtype));
}

Replay::Prepared Replay::prepare(const Case& one) {
  Prepared p;
  p.args.resize(one.row->bytes);
  at<uint32_t>(p.args, 0) = one.row->bytes;
  const double* number = one.numbers.data();
  const Held* held = one.views.data();
  for (uint32_t f = 0; f < one.row->field_count; f++) {
    const Field& field = one.row->fields[f];
    switch (field.kind) {
      case Kind::u32: at<uint32_t>(p.args, field.offset) = static_cast<uint32_t>(*number++); break;
      case Kind::u64: at<uint64_t>(p.args, field.offset) = static_cast<uint64_t>(*number++); break;
      case Kind::f32: at<float>(p.args, field.offset) = static_cast<float>(*number++); break;
      default:
        if (*number == -1) { number++; break; }
        const auto whole = [number](int i) { return static_cast<uint64_t>(number[i]); };
        const auto dtype = static_cast<uint32_t>(number[5]);
        p.views.push_back({&field, held++, whole(0), whole(1) * tw_dtype_bytes(dtype), {nullptr, whole(2), whole(3), whole(4), dtype, 0}});
        number += 6;
    }
  }
  for (View& view : p.views) {   // a shadow is as long as this backend's
    if (view.held->after != kOwn) continue;
    const auto weight = std::find_if(p.views.begin(), p.views.end(), [](const View& v) { return std::strcmp(v.field->name, "weight") == 0; });
    view.shape.columns = view.shape.stride =
        opened_.table->screen_bytes(opened_.context, word_of(*one.row, p.args, "screen"), weight->shape.rows, weight->shape.columns);
  }
  for (size_t b = 0; b < one.blocks.size(); b++) {
    const auto first = std::find_if(p.views.begin(), p.views.end(), [b](const View& v) { return v.block == b; });
    const bool is_own = first->held->after == kOwn;
    std::vector<std::byte> image((is_own ? first->shape.columns : one.blocks[b]) + kGuard);
    const uint64_t size = tw_dtype_bytes(first->shape.dtype);
    for (size_t i = 0; i < image.size() && !is_own; i++) image[i] = poison_of(first->shape.dtype)[i % size];
    p.images.push_back(std::move(image));
  }
  for (const View& view : p.views) place(view, p.images[view.block]);
  return p;
}

void Replay::place(const View& view, std::vector<std::byte>& image) const {
  if (view.held->before < 0) return;
  const Contents& from = cases_.contents[static_cast<size_t>(view.held->before)];
  each_row(view.shape, view.offset, [&](uint64_t to, uint64_t dense, uint64_t bytes) { std::memcpy(image.data() + to, from.data + dense, bytes); });
}

std::vector<std::byte> Replay::dense(const View& view, const std::vector<std::byte>& image) const {
  std::vector<std::byte> rows(view.shape.rows * view.shape.columns * tw_dtype_bytes(view.shape.dtype));
  each_row(view.shape, view.offset, [&](uint64_t from, uint64_t to, uint64_t bytes) { std::memcpy(rows.data() + to, image.data() + from, bytes); });
  return rows;
}

// One run on fresh memory. "" or what is wrong with a shadow; `after` is all memory afterwards.
std::string Replay::call(Prepared& p, const Case& one, std::vector<std::vector<std::byte>>& after) {
  std::vector<Memory> blocks;
  for (auto& image : p.images) blocks.emplace_back(opened_, image.size()).write(image.data());
  const View *shadow = nullptr, *weight = nullptr;
  const uint32_t screen = word_of(*one.row, p.args, "screen");
  for (const View& view : p.views) {
    auto& v = at<tw_view>(p.args, view.field->offset);
    v = view.shape;
    v.data = static_cast<std::byte*>(blocks[view.block].data) + view.offset;
    if (std::strcmp(view.field->name, "weight") == 0) weight = &view;
    if (view.held->after == kOwn && screen) shadow = &view;
  }
  tw_screen_rows_args screening{};
  if (shadow)
    screening = {sizeof screening, screen, at<tw_view>(p.args, weight->field->offset), at<tw_view>(p.args, shadow->field->offset)};
  if (shadow && shadow->field->kind != Kind::out) opened_.run(row_of("screen_rows"), &screening);
  opened_.run(*one.row, p.args.data());
  opened_.wait();
  after.clear();
  for (Memory& block : blocks) block.read(after.emplace_back(block.bytes).data());
  if (!shadow || shadow->field->kind != Kind::inout) return "";
  // The shadow that the op has made again, row by row, is what screen_rows makes of the new weight.
  opened_.run(row_of("screen_rows"), &screening);
  opened_.wait();
  std::vector<std::byte> made(blocks[shadow->block].bytes);
  blocks[shadow->block].read(made.data());
  const std::string wrong = differs(TW_I8, after[shadow->block].data(), made.data(), made.size());
  return wrong.empty() ? "" : "shadow " + wrong;
}

std::string Replay::check_view(const View& view, const std::vector<std::byte>& image) {
  if (view.held->after == kOwn || view.held->compared == 0) return "";
  const std::vector<std::byte> actual = dense(view, image);
  if (view.held->near >= 0 && !is_own_class_)
    return differs_near(actual.data(), cases_.contents[static_cast<size_t>(view.held->near)].data, view.held->compared);
  const Contents& after = cases_.contents[static_cast<size_t>(view.held->after)];
  std::vector<std::byte> wanted(after.data, after.data + after.bytes);
  if (spoil_ && --spoil_ == 0) {
    const uint64_t size = tw_dtype_bytes(view.shape.dtype);
    uint64_t i = 0;
    while (i < view.held->compared && element(view.shape.dtype, wanted.data() + i * size) != element(view.shape.dtype, wanted.data() + i * size)) i++;
    if (i == view.held->compared) spoil_ = 1;                    // all NaN, and one NaN is as good as another: the next view
    else wanted[i * size] ^= std::byte{1};
  }
  return differs(view.shape.dtype, actual.data(), wanted.data(), view.held->compared);
}

std::string Replay::check(const Prepared& p, const std::vector<std::vector<std::byte>>& after) {
  for (const View& view : p.views)
    if (const std::string wrong = check_view(view, after[view.block]); !wrong.empty())
      return std::string(view.field->name) + " " + shape_text(view.shape) + " " + wrong;
  auto around = after;
  for (const View& view : p.views)
    each_row(view.shape, view.offset, [&](uint64_t to, uint64_t, uint64_t bytes) {
      std::memcpy(around[view.block].data() + to, p.images[view.block].data() + to, bytes);
    });
  for (size_t b = 0; b < around.size(); b++) {
    const auto broken = std::mismatch(around[b].begin(), around[b].end(), p.images[b].begin());
    if (broken.first == around[b].end()) continue;
    const auto view = std::find_if(p.views.begin(), p.views.end(), [b](const View& v) { return v.block == b; });
    return text("the op wrote outside of %s %s, at byte %zu of its block", view->field->name, shape_text(view->shape).c_str(),
                static_cast<size_t>(broken.first - around[b].begin()));
  }
  return "";
}

Outcome Replay::run(const Case& one) {
  try {
    Prepared p = prepare(one);
    for (const View& view : p.views)
      if (view.held->after == kOwn && view.shape.columns == 0 && word_of(*one.row, p.args, "screen")) return {Verdict::kSkipped, "no such screen here"};
    std::vector<std::vector<std::byte>> first, second;
    std::string wrong = call(p, one, first);
    if (wrong.empty()) wrong = check(p, first);
    if (wrong.empty()) wrong = call(p, one, second);
    for (const View& view : p.views) {
      if (!wrong.empty()) break;
      const uint64_t count = view.held->after == kOwn ? view.shape.columns : view.held->compared;
      const std::string again = differs(view.shape.dtype, dense(view, second[view.block]).data(), dense(view, first[view.block]).data(), count);
      if (!again.empty()) wrong = std::string(view.field->name) + " when run again: " + again;
    }
    if (wrong.empty()) return {Verdict::kPassed, ""};
    for (const View& view : p.views) wrong += std::string(&view == &p.views.front() ? "; of " : ", ") + view.field->name + " " + shape_text(view.shape);
    return {Verdict::kFailed, wrong};
  } catch (const std::exception& error) {
    return {Verdict::kFailed, error.what()};
  }
}

}   // namespace transweld
