// One ordered native thread. Jobs run in the order of `push`; those that somebody awaits come back to JavaScript's thread.
#pragma once
#include <node_api.h>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>
#include "failure.h"

namespace transweld {

struct Job {
  virtual ~Job() = default;
  virtual void run() noexcept = 0;                   // on the queue's thread
};

// A job with a promise: after `run` it is settled on JavaScript's thread; `dropped` says why, if it never ran.
struct AwaitedJob : Job {
  virtual void settle(napi_env, const Failure* dropped) = 0;
};

class Queue {
 public:
  explicit Queue(napi_env);
  ~Queue();
  void push(std::unique_ptr<Job>);
  void push_awaited(std::unique_ptr<AwaitedJob>);    // keeps the process alive until it is settled
  bool is_idle();                                    // nothing runs, nothing waits: the caller may use the context
  void drain();                                      // blocks until nothing runs and nothing waits
  void stop();                                       // finishes the running job, begins no other; idempotent
  void settle_dropped(const Failure&);               // after stop, while JavaScript can still run

 private:
  struct Entry { std::unique_ptr<Job> job; bool is_awaited; };
  void add(std::unique_ptr<Job>, bool is_awaited);
  void run();
  void finish(Entry);
  void deliver();

  napi_env env_;
  napi_threadsafe_function wake_ = nullptr;          // calls deliver
  std::mutex mutex_;
  std::deque<Entry> jobs_;
  bool is_running_ = false;                          // under mutex_
  std::atomic<uint32_t> ticket_{0};                  // counts pushes; the thread sleeps on it
  std::atomic<uint32_t> idle_{0};                    // counts the times that the thread found nothing to do
  std::atomic<bool> is_closing_{false};
  std::mutex done_mutex_;
  std::vector<std::unique_ptr<AwaitedJob>> done_;
  uint32_t awaited_ = 0;                             // JavaScript's thread only
  std::thread thread_;
};

}   // namespace transweld
