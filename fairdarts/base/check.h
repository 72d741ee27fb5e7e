#ifndef FAIRDARTS_BASE_CHECK_H_
#define FAIRDARTS_BASE_CHECK_H_

// FD_CHECK(condition) << "what was expected";
//
// For our own bugs only: prints file, line, condition and message to stderr
// and aborts. Whatever a user, a file or the environment can cause is an
// absl::Status (see status.h). The names carry a prefix because c10's headers
// define the bare ones.

#include <sstream>

namespace fairdarts {
namespace internal {

class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition);
  CheckFailure(const CheckFailure&) = delete;
  CheckFailure& operator=(const CheckFailure&) = delete;
  [[noreturn]] ~CheckFailure();

  std::ostream& stream() { return message_; }

 private:
  std::ostringstream message_;
};

// Gives both arms of FD_CHECK's conditional the type void.
struct Voidify {
  void operator&(std::ostream&) const {}
};

}  // namespace internal
}  // namespace fairdarts

#define FD_CHECK(condition)                                                 \
  (condition) ? (void)0                                                     \
              : ::fairdarts::internal::Voidify() &                          \
                    ::fairdarts::internal::CheckFailure(__FILE__, __LINE__, \
                                                        #condition)         \
                        .stream()

#define FD_CHECK_EQ(a, b) FD_CHECK((a) == (b)) << (a) << " vs " << (b) << " "
#define FD_CHECK_NE(a, b) FD_CHECK((a) != (b)) << (a) << " vs " << (b) << " "
#define FD_CHECK_LT(a, b) FD_CHECK((a) < (b)) << (a) << " vs " << (b) << " "
#define FD_CHECK_LE(a, b) FD_CHECK((a) <= (b)) << (a) << " vs " << (b) << " "
#define FD_CHECK_GT(a, b) FD_CHECK((a) > (b)) << (a) << " vs " << (b) << " "
#define FD_CHECK_GE(a, b) FD_CHECK((a) >= (b)) << (a) << " vs " << (b) << " "

#endif  // FAIRDARTS_BASE_CHECK_H_
