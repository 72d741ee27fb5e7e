#include "fairdarts/runtime/cuda/stored_elements.h"

#include <cstring>

namespace fairdarts {
namespace {

template <typename T>
std::vector<char> Stored(absl::Span<const float> values) {
  std::vector<char> bytes(values.size() * sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    const T element = FromFloat<T>(values[i]);
    std::memcpy(bytes.data() + i * sizeof(T), &element, sizeof(T));
  }
  return bytes;
}

}  // namespace

std::vector<char> StoredElements(absl::Span<const float> values,
                                 Precision precision) {
  switch (precision) {
    case Precision::kFloat16:
      return Stored<Half>(values);
    case Precision::kBFloat16:
      return Stored<BFloat16>(values);
    case Precision::kFloat32:
      break;
  }
  return Stored<float>(values);
}

}  // namespace fairdarts
