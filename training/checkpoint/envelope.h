#ifndef TRAINING_CHECKPOINT_ENVELOPE_H_
#define TRAINING_CHECKPOINT_ENVELOPE_H_

// What makes a safetensors file a checkpoint: three strings in its metadata.
//
//   checkpoint.version  the format, "1"
//   checkpoint.kind     the program it belongs to, "search" or "train"
//   checkpoint.crc32    CRC-32 (the polynomial of zlib and PNG) of the whole
//                       file, header and data, with "00000000" in place of
//                       these eight lower-case hexadecimal digits
//
// Other readers of safetensors open such a file like any other. Here no byte
// of it is believed before the check sum fits, so that what was cut off or
// changed anywhere is an error.

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/safetensors.h"
#include "training/checkpoint/run_kind.h"

namespace fairdarts {

inline constexpr int kCheckpointVersion = 1;
inline constexpr char kCheckpointKindKey[] = "checkpoint.kind";

// What the names of the envelope's own metadata begin with.
inline constexpr absl::string_view kEnvelopePrefix = "checkpoint.";

// The bytes of a checkpoint. Our own bug (FD_CHECK) when a text's name begins
// with kEnvelopePrefix or a text is not UTF-8.
std::string SealCheckpoint(RunKind kind,
                           const std::vector<TensorToWrite>& tensors,
                           std::map<std::string, std::string> texts);

// Model-file errors that begin with `name`: DataLoss for what is damaged, not
// whole or no checkpoint at all; FailedPrecondition for a checkpoint that is
// well but of another kind or of a newer format, both of which it names.
absl::StatusOr<SafetensorsFile> OpenCheckpoint(std::string bytes,
                                               absl::string_view name,
                                               RunKind kind);

// The same for the file at `path`.
absl::StatusOr<SafetensorsFile> LoadCheckpoint(const std::string& path,
                                               RunKind kind);

}  // namespace fairdarts

#endif  // TRAINING_CHECKPOINT_ENVELOPE_H_
