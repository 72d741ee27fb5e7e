#ifndef SEARCH_SPACE_S1_CONFIG_H_
#define SEARCH_SPACE_S1_CONFIG_H_

#include <cstdint>

namespace fairdarts {

// The size of the search network of DARTS and FairDARTS (s1_supernet.h). The
// defaults are the paper's search on CIFAR-10.
struct S1Config {
  int64_t channels = 16;  // C; the stem has 3C, the first cells' nodes C
  int64_t layers = 8;     // cells
  int64_t classes = 10;
  int64_t image_channels = 3;
};

}  // namespace fairdarts

#endif  // SEARCH_SPACE_S1_CONFIG_H_
