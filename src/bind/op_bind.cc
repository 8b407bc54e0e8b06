// enqueue(device, op, numbers, count): one function binds every op, by walking its row.
#include "op_bind.h"
#include "op_job.h"
#include "view_bind.h"

namespace transweld {

// Outputs never alias inputs, nor each other, except those of an op whose row allows it, and then only as the very same view.
static void check_aliases(OpJob& job) {
  auto same = [](const tw_view& a, const tw_view& b) { return a.data == b.data && a.stride == b.stride && a.dtype == b.dtype; };
  for (size_t i = 0; i < job.uses.size(); i++) {
    for (size_t k = i + 1; k < job.uses.size(); k++) {
      const Use &one = job.uses[i], &two = job.uses[k];
      if (one.block != two.block || (one.kind == Kind::in && two.kind == Kind::in)) continue;
      const auto &a = job.at<tw_view>(one.field->offset), &b = job.at<tw_view>(two.field->offset);
      if (!overlaps(a, b) || (job.row.may_alias && same(a, b))) continue;
      raise(TW_INVALID, std::string("expected separate memory for ") + one.field->name + " and " + two.field->name + " of " + job.row.name +
                            " but received views that overlap");
    }
  }
}

static void bind_view(Instance& instance, const Engine& engine, Numbers& numbers, OpJob& job, const Field& field) {
  BoundView bound = read_view(instance, engine, numbers);
  if (!bound.block) {
    if (!field.is_optional) raise(TW_INTERNAL, std::string(job.row.name) + " needs " + field.name);
    return;
  }
  job.at<tw_view>(field.offset) = bound.view;
  const bool is_flagged = field.flag && job.at<uint32_t>(field.flag) != 0;
  job.uses.push_back({std::move(bound.block), &field, is_flagged ? Kind::inout : field.kind, bound.is_whole});
}

static std::unique_ptr<OpJob> bind_job(Instance& instance, const Engine& engine, const Row& row, Numbers& numbers) {
  auto job = std::make_unique<OpJob>(row);
  for (uint32_t i = 0; i < row.field_count; i++) {
    const Field& field = row.fields[i];
    switch (field.kind) {
      case Kind::u32: job->at<uint32_t>(field.offset) = numbers.word(); break;
      case Kind::u64: job->at<uint64_t>(field.offset) = numbers.whole(); break;
      case Kind::f32: job->at<float>(field.offset) = static_cast<float>(numbers.next()); break;
      default: bind_view(instance, engine, numbers, *job, field);
    }
  }
  numbers.end();
  check_aliases(*job);
  return job;
}

napi_value enqueue(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    size_t count = 4;
    napi_value arguments[4];
    void* data;
    napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
    if (count < 4) raise(TW_INTERNAL, "enqueue takes a device, an op, its numbers and their count");
    auto& instance = *static_cast<Instance*>(data);
    Device& device = instance.device(number(env, arguments[0]));
    const double op = number(env, arguments[1]);
    if (!(op >= 0 && op < kRowCount)) raise(TW_INTERNAL, "no such op");
    Numbers numbers(env, arguments[2], number(env, arguments[3]));
    device.queue->push(bind_job(instance, *device.engine, kRows[static_cast<uint32_t>(op)], numbers));
    return nullptr;
  });
}

// [{name, bytes, fields: [{name, kind, offset}]}]: what lib/native/abi.ts must agree with.
napi_value signatures(napi_env env, napi_callback_info) {
  napi_value rows;
  napi_create_array(env, &rows);
  auto set = [&](napi_value object, const char* key, napi_value content) { napi_set_named_property(env, object, key, content); };
  auto text = [&](const std::string& words) {
    napi_value result;
    napi_create_string_utf8(env, words.data(), words.size(), &result);
    return result;
  };
  for (uint32_t r = 0; r < kRowCount; r++) {
    napi_value row, fields;
    napi_create_object(env, &row);
    napi_create_array(env, &fields);
    for (uint32_t f = 0; f < kRows[r].field_count; f++) {
      const Field& field = kRows[r].fields[f];
      napi_value entry;
      napi_create_object(env, &entry);
      set(entry, "name", text(field.name));
      set(entry, "kind", text(std::string(kind_name(field.kind)) + (field.is_optional ? "?" : "")));
      set(entry, "offset", value(env, field.offset));
      napi_set_element(env, fields, f, entry);
    }
    set(row, "name", text(kRows[r].name));
    set(row, "bytes", value(env, kRows[r].bytes));
    set(row, "fields", fields);
    napi_set_element(env, rows, r, row);
  }
  return rows;
}

}   // namespace transweld
