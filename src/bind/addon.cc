// The module's entry: what JavaScript sees of the native side. lib/native/abi.ts has the types of it.
#include <napi.h>
#include "device_bind.h"
#include "load_bind.h"
#include "op_bind.h"
#include "transfer_bind.h"

namespace transweld {

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto instance = std::make_shared<Instance>(env);
  auto kept = new std::shared_ptr<Instance>(instance);
  napi_set_instance_data(env, kept, [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<Instance>*>(data); }, nullptr);
  napi_add_env_cleanup_hook(env, [](void* data) { static_cast<Instance*>(data)->shut_down(); }, instance.get());

  auto add = [&](const char* name, auto function) { exports.Set(name, Napi::Function::New(env, function, name, instance.get())); };
  add("devices", devices);
  add("open", open);
  add("close", close);
  add("memory", memory);
  add("screenBytes", screen_bytes);
  add("alloc", alloc);
  add("release", release);
  add("reclaim", reclaim);
  add("cpuFeatures", cpu_features);

  auto add_plain = [&](const char* name, napi_callback function) {
    napi_value made;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, instance.get(), &made);
    exports.Set(name, made);
  };
  add_plain("enqueue", enqueue);
  add_plain("signatures", signatures);
  add_plain("write", write);
  add_plain("read", read);
  add_plain("wait", wait);
  add_plain("load", load);
  return exports;
}

}   // namespace transweld

using transweld::init;
NODE_API_MODULE(transweld, init)
