#include "training/checkpoint/envelope.h"

#include <cstdint>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "zlib.h"

namespace fairdarts {
namespace {

constexpr char kVersionKey[] = "checkpoint.version";
constexpr char kCrcKey[] = "checkpoint.crc32";
constexpr absl::string_view kNoCrc = "00000000";

// How the check sum stands in the header. No string of the file can hold these
// characters: a quote within a JSON string has a backslash before it.
constexpr absl::string_view kCrcStart = "\"checkpoint.crc32\":\"";

// What torch.save begins its files with: a zip archive's first entry, or (in
// its legacy format) a pickle of protocol 2.
constexpr absl::string_view kZip = "PK\x03\x04";
constexpr absl::string_view kPickle = "\x80\x02";

// The check sum of the file with kNoCrc at `position`.
std::string Crc(absl::string_view bytes, size_t position) {
  uLong crc = crc32_z(0, nullptr, 0);
  const auto add = [&](absl::string_view part) {
    crc =
        crc32_z(crc, reinterpret_cast<const Bytef*>(part.data()), part.size());
  };
  add(bytes.substr(0, position));
  add(kNoCrc);
  add(bytes.substr(position + kNoCrc.size()));
  return absl::StrFormat("%08x", static_cast<uint32_t>(crc));
}

// Where the digits of the check sum stand, or npos. The header is within
// bounds that the caller does not need to check.
size_t FindCrc(absl::string_view bytes) {
  const size_t start = bytes.find(kCrcStart);
  if (start == absl::string_view::npos) return start;
  const size_t position = start + kCrcStart.size();
  return bytes.size() - position < kNoCrc.size() ? absl::string_view::npos
                                                 : position;
}

absl::Status MisfitError(absl::string_view message) {
  return WithExitCode(absl::FailedPreconditionError(message),
                      ExitCode::kModelFile);
}

}  // namespace

std::string SealCheckpoint(RunKind kind,
                           const std::vector<TensorToWrite>& tensors,
                           std::map<std::string, std::string> texts) {
  for (const auto& [name, text] : texts) {
    FD_CHECK(!absl::StartsWith(name, kEnvelopePrefix)) << name;
  }
  texts[kVersionKey] = absl::StrCat(kCheckpointVersion);
  texts[kCheckpointKindKey] = std::string(RunKindName(kind));
  texts[kCrcKey] = std::string(kNoCrc);
  std::string bytes = SerializeSafetensors(tensors, texts);
  const size_t position = FindCrc(bytes);
  FD_CHECK_NE(position, absl::string_view::npos);
  bytes.replace(position, kNoCrc.size(), Crc(bytes, position));
  return bytes;
}

absl::StatusOr<SafetensorsFile> OpenCheckpoint(std::string bytes,
                                               absl::string_view name,
                                               RunKind kind) {
  if (absl::StartsWith(bytes, kZip) || absl::StartsWith(bytes, kPickle)) {
    return ModelFileError(absl::StrCat(
        name,
        ": is a file of torch.save, not a checkpoint of this program: it "
        "lacks ",
        kind == RunKind::kSearch
            ? "the network's weights and the position in the data, so the "
              "search cannot go on from it"
            : "the position in the data and the run's configuration, so the "
              "training cannot go on from it; --model_path of the evaluation "
              "reads its weights"));
  }
  const size_t position = FindCrc(bytes);
  if (position == absl::string_view::npos) {
    return ModelFileError(
        absl::StrCat(name,
                     ": has no check sum: it is not a checkpoint (a "
                     "file of RUN/checkpoints is), or not whole"));
  }
  const std::string stated = bytes.substr(position, kNoCrc.size());
  const std::string right = Crc(bytes, position);
  if (stated != right) {
    return ModelFileError(
        absl::StrCat(name, ": is damaged or not whole: its check sum is ",
                     right, " in place of ", absl::CHexEscape(stated)));
  }
  FD_ASSIGN_OR_RETURN(SafetensorsFile file,
                      SafetensorsFile::Parse(std::move(bytes), name));

  FD_ASSIGN_OR_RETURN(const std::string version,
                      file.FindMetadata(kVersionKey));
  int number = 0;
  if (!absl::SimpleAtoi(version, &number) || number < 1) {
    return ModelFileError(absl::StrCat(name, ": ", kVersionKey, " '",
                                       absl::CHexEscape(version.substr(0, 40)),
                                       "' is not a number from 1"));
  }
  if (number > kCheckpointVersion) {
    return MisfitError(absl::StrCat(
        name, ": was written by a newer version of this program: its format ",
        "is ", number, ", and ", kCheckpointVersion,
        " is the newest that this one reads"));
  }
  FD_ASSIGN_OR_RETURN(const std::string of,
                      file.FindMetadata(kCheckpointKindKey));
  if (of != RunKindName(kind)) {
    return MisfitError(absl::StrCat(
        name, ": is a checkpoint of '", absl::CHexEscape(of.substr(0, 40)),
        "'; '", RunKindName(kind), "' goes on from its own only"));
  }
  return file;
}

absl::StatusOr<SafetensorsFile> LoadCheckpoint(const std::string& path,
                                               RunKind kind) {
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return ModelFileError(bytes.status().message());
  return OpenCheckpoint(*std::move(bytes), path, kind);
}

}  // namespace fairdarts
