#ifndef TESTS_HOST_READS_H_
#define TESTS_HOST_READS_H_

#include <ATen/record_function.h>

namespace fairdarts {

// Counts, while it lives, what torch's operations give the host to decide on:
// values of tensors (item) and shapes that depend on them (nonzero). On a GPU
// each waits for the device, and a CUDA graph cannot record it. Of this thread,
// where the CPU's backward runs too; one at a time.
class HostReads {
 public:
  HostReads();
  HostReads(const HostReads&) = delete;
  HostReads& operator=(const HostReads&) = delete;
  ~HostReads();

  int count() const;

 private:
  at::CallbackHandle handle_;
};

}  // namespace fairdarts

#endif  // TESTS_HOST_READS_H_
