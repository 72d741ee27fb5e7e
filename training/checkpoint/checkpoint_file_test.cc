#include "training/checkpoint/checkpoint_file.h"

#include <dirent.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/safetensors.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"
#include "training/checkpoint/envelope.h"

namespace fairdarts {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Snapshot Small() {
  Snapshot snapshot(RunKind::kSearch);
  snapshot.PutTensor("weights/w", torch::arange(6, torch::kFloat32));
  snapshot.PutTensor("weights/n", torch::tensor(int64_t{-5}));
  snapshot.PutTensor("nothing", torch::zeros({0, 3}));
  snapshot.PutText("config", "epochs: 3\nname: \"\xC3\xA9 \\\" \x01\"\n");
  snapshot.PutInteger("step", 12);
  return snapshot;
}

std::string Path(absl::string_view name) {
  return absl::StrCat(testing::TempDir(), "/", name);
}

void Write(const std::string& path, absl::string_view bytes) {
  ASSERT_THAT(WriteFileAtomic(path, bytes), IsOk());
}

// The check sum made to fit, as a malicious writer would.
std::string Resealed(std::string bytes) {
  const size_t at = bytes.find("checkpoint.crc32\":\"") + 19;
  const auto opened = OpenCheckpoint(bytes, "x", RunKind::kSearch);
  if (opened.ok()) return bytes;
  const std::string message(opened.status().message());
  const size_t right = message.find("its check sum is ");
  if (right == std::string::npos) return bytes;
  return bytes.replace(at, 8, message.substr(right + 17, 8));
}

TEST(CheckpointFileTest, ReadsWhatItWrote) {
  const Snapshot snapshot = Small();
  ASSERT_THAT(WriteCheckpoint(Path("a"), snapshot), IsOk());
  const auto read = ReadCheckpoint(Path("a"), RunKind::kSearch);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->texts(), snapshot.texts());
  ASSERT_EQ(read->tensors().size(), snapshot.tensors().size());
  for (const auto& [name, tensor] : snapshot.tensors()) {
    const torch::Tensor& other = read->tensors().at(name);
    EXPECT_EQ(other.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(torch::equal(other, tensor)) << name;
  }
  EXPECT_EQ(SerializeCheckpoint(*read), SerializeCheckpoint(snapshot));
  // The source stands before later errors.
  EXPECT_THAT(std::string(read->Text("no").status().message()),
              StartsWith(Path("a")));
}

TEST(CheckpointFileTest, EveryTypeComesBack) {
  Snapshot snapshot(RunKind::kTrain);
  for (const torch::ScalarType type :
       {torch::kBool, torch::kUInt8, torch::kInt8, torch::kInt16, torch::kInt32,
        torch::kInt64, torch::kFloat16, torch::kBFloat16, torch::kFloat32,
        torch::kFloat64}) {
    snapshot.PutTensor(torch::toString(type),
                       torch::tensor({0, 1, 1, 0}).to(type));
  }
  ASSERT_THAT(WriteCheckpoint(Path("types"), snapshot), IsOk());
  const auto read = ReadCheckpoint(Path("types"), RunKind::kTrain);
  ASSERT_THAT(read, IsOk());
  for (const auto& [name, tensor] : snapshot.tensors()) {
    EXPECT_EQ(read->tensors().at(name).scalar_type(), tensor.scalar_type());
    EXPECT_TRUE(torch::equal(read->tensors().at(name), tensor)) << name;
  }
}

TEST(CheckpointFileTest, IsAnOrdinarySafetensorsFile) {
  const auto file =
      SafetensorsFile::Parse(SerializeCheckpoint(Small()), "bytes");
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(file->FindMetadata("checkpoint.kind"), IsOkAndHolds("search"));
  EXPECT_THAT(file->FindMetadata("step"), IsOkAndHolds("12"));
  EXPECT_THAT(file->Find("weights/w"), IsOk());
}

TEST(CheckpointFileTest, EveryStrictPrefixIsRefused) {
  const std::string bytes = SerializeCheckpoint(Small());
  for (size_t size = 0; size < bytes.size(); ++size) {
    Write(Path("cut"), absl::string_view(bytes).substr(0, size));
    const auto read = ReadCheckpoint(Path("cut"), RunKind::kSearch);
    EXPECT_THAT(read, StatusIs(absl::StatusCode::kDataLoss, Path("cut")))
        << size;
    EXPECT_THAT(read, ExitCodeIs(ExitCode::kModelFile)) << size;
  }
}

TEST(CheckpointFileTest, EveryFlippedBitIsFound) {
  const std::string bytes = SerializeCheckpoint(Small());
  for (size_t i = 0; i < 8 * bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i / 8] ^= static_cast<char>(1 << (i % 8));
    EXPECT_THAT(OpenCheckpoint(flipped, "f", RunKind::kSearch),
                StatusIs(absl::StatusCode::kDataLoss, "f: "))
        << "bit " << i % 8 << " of byte " << i / 8;
  }
  EXPECT_THAT(OpenCheckpoint(absl::StrCat(bytes, "x"), "f", RunKind::kSearch),
              StatusIs(absl::StatusCode::kDataLoss, "damaged"));
}

TEST(CheckpointFileTest, AnotherKindAndANewerFormatAreNamed) {
  ASSERT_THAT(WriteCheckpoint(Path("kind"), Small()), IsOk());
  const auto kind = ReadCheckpoint(Path("kind"), RunKind::kTrain);
  EXPECT_THAT(kind, StatusIs(absl::StatusCode::kFailedPrecondition,
                             "is a checkpoint of 'search'; 'train' goes on"));
  EXPECT_THAT(kind, ExitCodeIs(ExitCode::kModelFile));

  const std::string bytes = SerializeCheckpoint(Small());
  const std::string newer = Resealed(
      absl::StrReplaceAll(bytes, {{"version\":\"1\"", "version\":\"2\""}}));
  ASSERT_NE(newer, bytes);
  const auto version = OpenCheckpoint(newer, "f", RunKind::kSearch);
  EXPECT_THAT(version, StatusIs(absl::StatusCode::kFailedPrecondition,
                                "newer version of this program: its format "
                                "is 2, and 1 is"));
  EXPECT_THAT(version, ExitCodeIs(ExitCode::kModelFile));
  for (const char digit : {'0', 'x'}) {
    const std::string bad = Resealed(absl::StrReplaceAll(
        bytes, {{"version\":\"1\"",
                 absl::StrCat("version\":\"", std::string(1, digit), "\"")}}));
    EXPECT_THAT(OpenCheckpoint(bad, "f", RunKind::kSearch),
                StatusIs(absl::StatusCode::kDataLoss, "checkpoint.version"));
  }
}

TEST(CheckpointFileTest, OtherFilesAreToldApart) {
  EXPECT_THAT(OpenCheckpoint(std::string("PK\x03\x04....", 8), "best.tar",
                             RunKind::kSearch),
              StatusIs(absl::StatusCode::kDataLoss,
                       "best.tar: is a file of torch.save"));
  EXPECT_THAT(OpenCheckpoint("\x80\x02\x8a\nlfc", "old.tar", RunKind::kTrain),
              StatusIs(absl::StatusCode::kDataLoss, "lacks the position"));
  const std::string plain = SerializeSafetensors({}, {{"kind", "s1_supernet"}});
  EXPECT_THAT(OpenCheckpoint(plain, "weights", RunKind::kSearch),
              StatusIs(absl::StatusCode::kDataLoss, "has no check sum"));
  EXPECT_THAT(ReadCheckpoint(Path("absent"), RunKind::kSearch),
              ExitCodeIs(ExitCode::kModelFile));
}

TEST(CheckpointFileTest, TensorsThatNothingCanUseAreRefused) {
  Snapshot snapshot(RunKind::kSearch);
  snapshot.PutTensor("b", torch::ones({8}, torch::kBool));
  std::string bytes = SerializeCheckpoint(snapshot);
  bytes.back() = 2;
  Write(Path("bool"), Resealed(bytes));
  EXPECT_THAT(ReadCheckpoint(Path("bool"), RunKind::kSearch),
              StatusIs(absl::StatusCode::kDataLoss,
                       "tensor \"b\": a BOOL must be 0 or 1"));

  const std::vector<int64_t> shape(65, 1);
  Write(Path("deep"), SealCheckpoint(RunKind::kSearch,
                                     {{"d", {DType::kU8, shape, "x"}}}, {}));
  EXPECT_THAT(ReadCheckpoint(Path("deep"), RunKind::kSearch),
              StatusIs(absl::StatusCode::kDataLoss, "has 65 dimensions"));
}

// A disk that is full after `room` bytes of a file.
void FillDisk(rlim_t room) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = room;
  setrlimit(RLIMIT_FSIZE, &limit);
}

TEST(CheckpointFileTest, AFullDiskLeavesThePreviousFileWhole) {
  const std::string folder = Path("full");
  ASSERT_EQ(std::system(absl::StrCat("mkdir '", folder, "'").c_str()), 0);
  const std::string path = absl::StrCat(folder, "/c");
  ASSERT_THAT(WriteCheckpoint(path, Small()), IsOk());
  const auto before = ReadFile(path);
  ASSERT_THAT(before, IsOk());
  // In a process of its own, which the limit dies with.
  EXPECT_EXIT(
      {
        Snapshot larger = Small();
        larger.PutTensor("more", torch::ones({100000}));
        FillDisk(10000);
        const absl::Status status = WriteCheckpoint(path, larger);
        std::exit(static_cast<int>(ExitCodeOf(status)));
      },
      testing::ExitedWithCode(static_cast<int>(ExitCode::kEnvironment)), "");
  EXPECT_THAT(ReadFile(path), IsOkAndHolds(*before));
  EXPECT_THAT(ReadCheckpoint(path, RunKind::kSearch), IsOk());
  int files = 0;
  DIR* const directory = opendir(folder.c_str());
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') ++files;
  }
  closedir(directory);
  EXPECT_EQ(files, 1) << "something is left beside it";
}

}  // namespace
}  // namespace fairdarts
