#ifndef TRAINING_TORCH_IMPORT_PICKLE_H_
#define TRAINING_TORCH_IMPORT_PICKLE_H_

// Python's pickle format (https://docs.python.org/3/library/pickletools.html)
// as data: a machine that can make plain values, descriptions of tensors and
// arrays of bytes, and nothing else. A pickle is a program whose instructions
// include "import this name and call it"; this machine knows the few names
// that such files need, interprets them itself and refuses every other one by
// name, so no file can make it run anything.
//
// Protocols 1 to 5, as far as torch.save and NumPy write them; not protocol 0,
// in which PyTorch itself cannot load what it saved. Also not read, since
// neither writes them: sets, out-of-band buffers, extension codes, instances
// of classes.
//
// Hostile input costs time and memory in proportion to its size: every length
// is checked against what is left before it is used, values are counted,
// nesting is bounded, copies of what is there already are charged against a
// budget of twice its size, and a value that contains itself is refused.
// Nothing recurses, neither parsing nor destruction.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/safetensors.h"

namespace fairdarts {

// What a tensor's elements lie in; the elements themselves are not part of the
// pickle but stored beside it under the key.
struct PickledStorage {
  DType dtype;
  std::string key;
  int64_t elements;
};

// A window onto a storage, in elements. Element (i, j, ...) is number
// offset + i * strides[0] + j * strides[1] + ... of the storage, always within
// it; there are never more elements than the storage has.
struct PickledTensor {
  PickledStorage storage;
  int64_t offset;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;

  int64_t elements() const;
};

// A NumPy array of uint8 in row-major order; the data fill the shape.
struct PickledArray {
  std::vector<int64_t> shape;
  absl::string_view data;
};

namespace internal {
struct PickleNodes;
}  // namespace internal

// A value of a pickle: a handle onto an immutable node, cheap to copy. All
// values of a pickle share their nodes and keep them alive. May be read from
// several threads.
//
// The graph has no cycles, but values may be shared, so a walk over everything
// can take time exponential in the nesting.
class PickleValue {
 public:
  enum class Kind {
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,
    kBytes,
    kTuple,
    kList,
    kDict,    // also an OrderedDict
    kTensor,  // torch
    kArray,   // NumPy
  };

  PickleValue();  // None

  Kind kind() const;
  bool is(Kind expected) const { return kind() == expected; }
  // kString or kBytes: Python 2 has one kind for both.
  bool is_text() const { return is(Kind::kString) || is(Kind::kBytes); }
  // "a list" and so on, for messages.
  absl::string_view kind_name() const;

  // The contents. Our own bug (FD_CHECK) when the kind is another one.
  bool bool_value() const;
  absl::int128 int_value() const;
  double float_value() const;
  // Bytes as they stand in the file: not necessarily UTF-8.
  absl::string_view text() const;
  const PickledTensor& tensor() const;
  const PickledArray& array() const;

  // An integer that fits.
  std::optional<int64_t> int64_value() const;

  // Tuples, lists and dicts, in the order of the file.
  size_t size() const;
  PickleValue item(size_t i) const;  // a dict's value
  PickleValue key(size_t i) const;   // dicts only: an integer or a text
  // The value of a dict's text key, if there is one.
  std::optional<PickleValue> Find(absl::string_view key) const;

 private:
  friend class PickleMachine;
  PickleValue(std::shared_ptr<const internal::PickleNodes> nodes,
              uint32_t index);

  std::shared_ptr<const internal::PickleNodes> nodes_;
  uint32_t index_ = 0;
};

// Which names a pickle may use besides collections.OrderedDict.
enum class PickleDialect {
  kTorch,  // tensors: torch._utils._rebuild_tensor_v2, torch.FloatStorage, ...
  kNumpy,  // arrays: numpy.core.multiarray._reconstruct, numpy.dtype, ...
};

struct Pickle {
  PickleValue root;
  // By key: every storage that the pickle mentions, each with one dtype and
  // number of elements.
  std::map<std::string, PickledStorage> storages;
  // Where the next pickle, or what else follows, begins.
  size_t bytes_used;
};

// Bounds, far above what real files need.
inline constexpr size_t kMaxPickleValues = 1 << 20;
inline constexpr int kMaxPickleDepth = 100;
inline constexpr size_t kMaxTensorDimensions = 16;

// The pickle at the beginning of `bytes`. An error names the byte and what is
// wrong there ("at byte 12: refuses to call os.system"), but neither the file
// nor an exit code: the caller knows them.
absl::StatusOr<Pickle> ParsePickle(absl::string_view bytes,
                                   PickleDialect dialect);

}  // namespace fairdarts

#endif  // TRAINING_TORCH_IMPORT_PICKLE_H_
