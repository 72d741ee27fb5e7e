#include "training/checkpoint/checkpointer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "fairdarts/base/status.h"
#include "tests/status_matchers.h"
#include "training/checkpoint/checkpoint_file.h"
#include "training/checkpoint/checkpoint_list.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A run whose state is the number of steps that it has done.
class CheckpointerTest : public testing::Test {
 protected:
  CheckpointerTest()
      : folder_(absl::StrCat(
            testing::TempDir(), "/",
            testing::UnitTest::GetInstance()->current_test_info()->name())),
        log_(said_, said_, /*terminal=*/false, /*columns=*/80) {
    mkdir(folder_.c_str(), 0755);
  }

  Checkpointer Make(StopSignals& signals, const CheckpointerOptions& options) {
    return Checkpointer(
        CheckpointFolder(folder_, RunKind::kTrain), signals, log_,
        [this] {
          Snapshot snapshot(RunKind::kTrain);
          snapshot.PutInteger("steps", steps_);
          snapshot.PutTensor("weight", weight_);
          return snapshot;
        },
        options);
  }

  absl::Status Step(Checkpointer& checkpointer) {
    return checkpointer.Guard(steps_, absl::StrCat("before step ", steps_ + 1),
                              [&] {
                                ++steps_;
                                weight_.add_(1);
                                return absl::OkStatus();
                              });
  }

  // The steps after which checkpoints are there, the latest first.
  std::vector<int64_t> Saved() const {
    std::vector<int64_t> steps;
    for (const ListedCheckpoint& listed : ListCheckpoints(folder_)) {
      const auto snapshot = ReadCheckpoint(listed.path, RunKind::kTrain);
      EXPECT_THAT(snapshot, IsOk());
      EXPECT_THAT(snapshot->Integer("steps"), IsOkAndHolds(listed.step));
      EXPECT_EQ(snapshot->Tensor("weight")->item<float>(), listed.step);
      steps.push_back(listed.step);
    }
    return steps;
  }

  const std::string folder_;
  std::ostringstream said_;
  RunLog log_;
  int64_t steps_ = 0;
  torch::Tensor weight_ = torch::zeros({1});
};

TEST_F(CheckpointerTest, WritesEverySoManySteps) {
  StopSignals signals;
  CheckpointerOptions options;
  options.every_steps = 3;
  Checkpointer checkpointer = Make(signals, options);
  for (int i = 0; i < 8; ++i) ASSERT_THAT(Step(checkpointer), IsOk());
  EXPECT_THAT(Saved(), ElementsAre(6, 3));
}

TEST_F(CheckpointerTest, WritesNothingUnasked) {
  StopSignals signals;
  Checkpointer checkpointer = Make(signals, CheckpointerOptions());
  for (int i = 0; i < 3; ++i) ASSERT_THAT(Step(checkpointer), IsOk());
  EXPECT_THAT(Saved(), IsEmpty());
}

TEST_F(CheckpointerTest, Sigusr1WritesOneAndGoesOn) {
  StopSignals signals;
  Checkpointer checkpointer = Make(signals, CheckpointerOptions());
  ASSERT_THAT(Step(checkpointer), IsOk());
  std::raise(SIGUSR1);
  ASSERT_THAT(Step(checkpointer), IsOk());
  ASSERT_THAT(Step(checkpointer), IsOk());
  EXPECT_THAT(Saved(), ElementsAre(1));
  EXPECT_THAT(said_.str(), HasSubstr("checkpoint written before step 2"));
}

TEST_F(CheckpointerTest, AStopWritesOneAndRunsNothing) {
  StopSignals signals;
  Checkpointer checkpointer = Make(signals, CheckpointerOptions());
  ASSERT_THAT(Step(checkpointer), IsOk());
  std::raise(SIGINT);
  const absl::Status status = Step(checkpointer);
  EXPECT_THAT(status, ExitCodeIs(ExitCode::kInterrupted));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled, "before step 2"));
  EXPECT_EQ(steps_, 1);
  EXPECT_THAT(Saved(), ElementsAre(1));
}

TEST_F(CheckpointerTest, AnErrorOfTheStepComesBack) {
  StopSignals signals;
  Checkpointer checkpointer = Make(signals, CheckpointerOptions());
  EXPECT_THAT(checkpointer.Guard(0, "", [] { return NumbersError("NaN"); }),
              ExitCodeIs(ExitCode::kNumbers));
  EXPECT_THAT(Step(checkpointer), IsOk());
}

TEST_F(CheckpointerTest, WithinALongStepTheStateBeforeItIsWritten) {
  EXPECT_EXIT(
      {
        StopSignals signals;
        CheckpointerOptions options;
        options.guard.slow_step = absl::ZeroDuration();
        options.guard.patience = absl::Milliseconds(50);
        Checkpointer checkpointer = Make(signals, options);
        (void)Step(checkpointer);
        (void)Step(checkpointer);
        (void)checkpointer.Guard(steps_, "", [&]() -> absl::Status {
          // Half done: nothing of it may reach the checkpoint.
          ++steps_;
          weight_.fill_(-1);
          std::raise(SIGTERM);
          while (true) pause();
        });
      },
      testing::ExitedWithCode(143), "stopped by SIGTERM within a step");
  EXPECT_THAT(Saved(), ElementsAre(2));
}

}  // namespace
}  // namespace fairdarts
