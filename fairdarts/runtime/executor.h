#ifndef FAIRDARTS_RUNTIME_EXECUTOR_H_
#define FAIRDARTS_RUNTIME_EXECUTOR_H_

#include "absl/functional/function_ref.h"

namespace fairdarts {

// Where the parts of a piece of work run: threads of ours (thread_pool.h), or
// those that a program has already.
class Executor {
 public:
  virtual ~Executor() = default;

  // How many tasks it may run at the same time, 1 at least; the same for as
  // long as somebody uses it.
  virtual int threads() const = 0;

  // work(0) to work(tasks - 1), each once, in any order, in any threads, at the
  // same time or one after the other; returns when all have returned. What
  // happened before is seen by every task, and what they did afterwards. Tasks
  // do not wait for each other and do not throw. Called with 1 to threads()
  // tasks, again and again within microseconds, so it should allocate nothing
  // and start no threads.
  virtual void Run(int tasks, absl::FunctionRef<void(int task)> work) = 0;
};

}  // namespace fairdarts

#endif  // FAIRDARTS_RUNTIME_EXECUTOR_H_
