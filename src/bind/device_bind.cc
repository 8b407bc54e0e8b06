#include "device_bind.h"
#include "../registry.h"
#include "values.h"

namespace transweld {

namespace {

Instance& instance_of(const Napi::CallbackInfo& info) { return *static_cast<Instance*>(info.Data()); }
double number_at(const Napi::CallbackInfo& info, size_t i) { return number(info.Env(), info[i]); }
std::string text_at(const Napi::CallbackInfo& info, size_t i) { return info[i].IsString() ? info[i].As<Napi::String>().Utf8Value() : ""; }

uint64_t bytes_at(const Napi::CallbackInfo& info, size_t i) {
  double value = number_at(info, i);
  if (!(value >= 0 && value <= 9007199254740992.0)) raise(TW_INVALID, "expected a number of bytes but received " + std::to_string(value));
  return static_cast<uint64_t>(value);
}

const tw_op_table* table_of(const std::string& path) {
  Backend backend = find_backend(path);
  if (!backend.table) raise(kLibrary, backend.reason);
  return backend.table;
}

template <class F> Napi::Value answer(const Napi::CallbackInfo& info, const F& body) {
  Napi::Env env = info.Env();
  try {
    return body(env);
  } catch (const Fault& fault) {
    throw Napi::Error(env, error_of(env, fault.failure));
  }
}

// Runs when the owner is collected, released before or not. It may run after the instance's data went: so it keeps it.
struct Forgotten {
  std::shared_ptr<Instance> instance;
  double block;
};

void finalize(napi_env, void* data, void*) {
  std::unique_ptr<Forgotten> forgotten(static_cast<Forgotten*>(data));
  forgotten->instance->release(forgotten->block);
}

}   // namespace

Napi::Value devices(const Napi::CallbackInfo& info) {
  return answer(info, [&](Napi::Env env) {
    Backend backend = find_backend(text_at(info, 0));
    auto list = Napi::Array::New(env);
    auto result = Napi::Object::New(env);
    Listing listing;
    if (backend.table) listing = list_devices(*backend.table);
    for (uint32_t i = 0; i < listing.devices.size(); i++) {
      const tw_device& device = listing.devices[i];
      auto row = Napi::Object::New(env);
      row.Set("name", device.name);
      row.Set("code", device.code);
      row.Set("bits", device.bits);
      row.Set("memoryBytes", static_cast<double>(device.memory_bytes));
      list.Set(i, row);
    }
    result.Set("devices", list);
    result.Set("why", listing.why);
    result.Set("reason", backend.reason);
    return result;
  });
}

Napi::Value open(const Napi::CallbackInfo& info) {
  return answer(info, [&](Napi::Env env) {
    const std::string path = text_at(info, 0);
    const auto* table = table_of(path);
    return Napi::Number::New(env, instance_of(info).add_device(table, static_cast<uint32_t>(number_at(info, 1)), bytes_at(info, 2),
                                                               !path.empty()));
  });
}

Napi::Value close(const Napi::CallbackInfo& info) {
  return answer(info, [&](Napi::Env env) {
    instance_of(info).close_device(number_at(info, 0));
    return env.Undefined();
  });
}

Napi::Value memory(const Napi::CallbackInfo& info) {
  return answer(info, [&](Napi::Env env) {
    Engine& engine = *instance_of(info).device(number_at(info, 0)).engine;
    tw_memory memory = {};
    engine.table->memory(engine.context, &memory);
    auto result = Napi::Object::New(env);
    result.Set("used", static_cast<double>(memory.used_bytes));
    result.Set("cached", static_cast<double>(memory.cached_bytes));
    result.Set("limit", static_cast<double>(memory.limit_bytes));
    result.Set("peak", static_cast<double>(memory.peak_bytes));
    return result;
  });
}

Napi::Value screen_bytes(const Napi::CallbackInfo& info) {
  return answer(info, [&](Napi::Env env) {
    Engine& engine = *instance_of(info).device(number_at(info, 0)).engine;
    uint64_t bytes = engine.table->screen_bytes(engine.context, static_cast<uint32_t>(number_at(info, 1)), bytes_at(info, 2), bytes_at(info, 3));
    return Napi::Number::New(env, static_cast<double>(bytes));
  });
}

Napi::Value alloc(const Napi::CallbackInfo& info) {
  return answer(info, [&](Napi::Env env) {
    Instance& instance = instance_of(info);
    const double block = instance.add_block(number_at(info, 0), bytes_at(info, 1));
    auto forgotten = std::make_unique<Forgotten>(Forgotten{instance.shared_from_this(), block});
    napi_ref owner = nullptr;
    if (napi_create_reference(env, info[2], 0, &owner) == napi_ok) instance.set_owner(block, owner);
    // Without a reference of its own: deleting that one early would cancel the finalizer.
    if (!owner || napi_add_finalizer(env, info[2], forgotten.get(), finalize, nullptr, nullptr) != napi_ok) {
      instance.release(block);
      raise(TW_INTERNAL, "expected an object that owns the block");
    }
    forgotten.release();
    return Napi::Number::New(env, block);
  });
}

Napi::Value release(const Napi::CallbackInfo& info) {
  return answer(info, [&](Napi::Env env) { return Napi::Boolean::New(env, instance_of(info).release(number_at(info, 0))); });
}

Napi::Value reclaim(const Napi::CallbackInfo& info) {
  return answer(info, [&](Napi::Env env) {
    instance_of(info).reclaim(number_at(info, 0));
    return env.Undefined();
  });
}

Napi::Value cpu_features(const Napi::CallbackInfo& info) {
  auto list = Napi::Array::New(info.Env());
#if defined(__x86_64__)
  auto add = [&](const char* name, bool is_present) { if (is_present) list.Set(list.Length(), name); };
  add("sse4.2", __builtin_cpu_supports("sse4.2"));
  add("avx", __builtin_cpu_supports("avx"));
  add("avx2", __builtin_cpu_supports("avx2"));
  add("fma", __builtin_cpu_supports("fma"));
  add("bmi2", __builtin_cpu_supports("bmi2"));
  add("avx512f", __builtin_cpu_supports("avx512f"));
  add("avx512bw", __builtin_cpu_supports("avx512bw"));
  add("avx512dq", __builtin_cpu_supports("avx512dq"));
  add("avx512vl", __builtin_cpu_supports("avx512vl"));
  add("avx512vnni", __builtin_cpu_supports("avx512vnni"));
  add("avx512bf16", __builtin_cpu_supports("avx512bf16"));
#elif defined(__aarch64__)
  list.Set(0u, "neon");
#endif
  return list;
}

}   // namespace transweld
