#ifndef TRAINING_TORCH_IMPORT_TESTING_H_
#define TRAINING_TORCH_IMPORT_TESTING_H_

// What the tests make their files from, instruction by instruction.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairdarts {

// `bytes` little-endian bytes of a number.
std::string LittleEndian(uint64_t number, int bytes);

// Instructions of protocol 2, each of which pushes one value.
std::string PickledText(absl::string_view text);
std::string PickledInt(int64_t value);  // 8 bytes, as LONG1
std::string PickledTuple(std::initializer_list<std::string> items);
std::string PickledInts(const std::vector<int64_t>& items);  // a tuple
std::string PickledGlobal(absl::string_view module, absl::string_view name);
// Items: keys and values in turn.
std::string PickledDict(std::initializer_list<std::string> items);
std::string PickledCall(absl::string_view module, absl::string_view name,
                        std::initializer_list<std::string> arguments);
// A storage of torch.`type`, such as "FloatStorage".
std::string PickledStorageOf(absl::string_view type, absl::string_view key,
                             int64_t elements);
std::string PickledTensorOf(const std::string& storage, int64_t offset,
                            const std::vector<int64_t>& shape,
                            const std::vector<int64_t>& strides);

// A NumPy array of uint8, as Python 2 wrote it.
std::string PickledArrayOf(const std::vector<int64_t>& shape,
                           absl::string_view data);

// The whole pickle that leaves the value of these instructions.
std::string WholePickle(absl::string_view instructions);

// An archive of stored entries, in this order.
std::string ZipOf(
    const std::vector<std::pair<std::string, std::string>>& entries);

// The same with another compression method of libzip.
std::string CompressedZipOf(const std::string& name,
                            const std::string& contents);

// A file of torch.save in the zip format, of the value of these instructions
// and with the bytes of its storages by key.
std::string TorchZip(
    absl::string_view instructions,
    const std::vector<std::pair<std::string, std::string>>& storages);

// The same in the legacy format; `element_bytes` is that of all storages.
std::string TorchLegacy(
    absl::string_view instructions, int element_bytes,
    const std::vector<std::pair<std::string, std::string>>& storages);

// The bytes of these values.
std::string FloatBytes(std::initializer_list<float> values);

}  // namespace fairdarts

#endif  // TRAINING_TORCH_IMPORT_TESTING_H_
