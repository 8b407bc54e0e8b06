#include "module_open.h"
#include <dlfcn.h>

namespace transweld {

static std::string loader_words() {
  const char* words = dlerror();
  return words ? words : "the loader gave no reason";
}

Module module_open(const std::string& path, const char* symbol) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) return {nullptr, loader_words()};
  void* found = dlsym(library, symbol);
  if (!found) return {nullptr, loader_words()};
  return {found, ""};
}

}   // namespace transweld
