// What a CPU op may use besides its arguments: the pool of threads, scratch memory, and a place for words about a failure.
#pragma once
#include <stddef.h>
#include "../expect.h"

namespace transweld {

// Scratch is one block that grows to the largest request and is kept: nothing is allocated after the first step.
// It is valid until the op returns. Several blocks: take one and divide it. Null when memory is out.
void* scratch(tw_context*, size_t bytes);

// Threads that `parallel` may use, the caller's included. Results must not depend on it.
unsigned threads(const tw_context*);

// Calls body(closure, item, worker) for item = 0 ... items − 1, each once, on any thread; worker < threads().
// Items are handed out in ascending order. Returns early, items undone, once the context is closing.
void parallel(tw_context*, size_t items, void (*body)(void* closure, size_t item, unsigned worker), void* closure);

namespace {
// The same with a lambda body(item, worker). Internal linkage: instruction-set objects share no symbols.
template <class F> void each(tw_context* context, size_t items, const F& body) {
  parallel(context, items, [](void* f, size_t item, unsigned worker) { (*static_cast<const F*>(f))(item, worker); }, const_cast<F*>(&body));
}
}   // namespace
}   // namespace transweld
