#ifndef TESTS_CAPI_EXPECT_H_
#define TESTS_CAPI_EXPECT_H_

/* What tests in C ask for: a test goes on after what fails, and ends with
 * whether there are failures. */

#include <stdio.h>
#include <string.h>

static int failures = 0;

#define EXPECT(condition)                                             \
  do {                                                                \
    if (!(condition)) {                                               \
      printf("%s:%d: %s is false\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                     \
    }                                                                 \
  } while (0)

/* The call gives the status, and fairdarts_last_error has the message in it. */
#define EXPECT_FAILS(call, status, message)                          \
  do {                                                               \
    EXPECT((call) == (status));                                      \
    if (strstr(fairdarts_last_error(), (message)) == NULL) {         \
      printf("%s:%d: \"%s\" is not in \"%s\"\n", __FILE__, __LINE__, \
             (message), fairdarts_last_error());                     \
      ++failures;                                                    \
    }                                                                \
  } while (0)

#endif /* TESTS_CAPI_EXPECT_H_ */
