// Sessions in several threads at the same time, some with threads of their own:
// what the thread sanitizer looks at.

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/executor.h"
#include "fairdarts/runtime/session.h"
#include "fairdarts/runtime/testing.h"
#include "tests/golden/filler.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

constexpr int kImages = 3;

// Every kind of step.
ModelDescription Description() {
  NetworkConfig config;
  config.init_channels = 8;
  config.layers = 3;
  config.image_size = 16;
  return DescriptionOf(
      "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), "
      "('conv_7x1_1x7', 2), ('avg_pool_3x3', 0)], normal_concat=[2, 3], "
      "reduce=[('max_pool_3x3', 0), ('dil_conv_5x5', 1), "
      "('skip_connect', 0), ('skip_connect', 2)], reduce_concat=[2, 3])",
      config);
}

std::string Model() {
  const ModelDescription description = Description();
  return *SerializeModelFile(description,
                             FilledTensors(description, 3).tensors());
}

std::vector<float> Logits(Session& session, int images) {
  const std::vector<float> x =
      GoldenImages("x", images * session.image_floats(), 4);
  std::vector<float> logits(images * session.classes());
  EXPECT_THAT(session.Run(x, absl::MakeSpan(logits)), IsOk());
  return logits;
}

// Starts a thread for each task: slow, but nothing waits for anything.
class ThreadEach : public Executor {
 public:
  int threads() const override { return 3; }
  void Run(int tasks, absl::FunctionRef<void(int task)> work) override {
    std::vector<std::thread> threads;
    for (int i = 0; i < tasks; ++i) {
      threads.emplace_back([&work, i] { work(i); });
    }
    for (std::thread& thread : threads) thread.join();
  }
};

TEST(SessionThreadsTest, SessionsAreIndependent) {
  const std::string model = Model();
  absl::StatusOr<Session> alone = Session::LoadBytes(model, "model");
  ASSERT_THAT(alone, IsOk());
  const std::vector<float> expected = Logits(*alone, kImages);
  const std::vector<float> first(expected.begin(),
                                 expected.begin() + alone->classes());
  ThreadEach shared;
  std::atomic<int> wrong{0};
  std::vector<std::thread> users;
  for (int user = 0; user < 4; ++user) {
    users.emplace_back([&, user] {
      SessionOptions options;
      if (user == 3) {
        options.executor = &shared;
      } else {
        options.threads = 1 + user;
      }
      for (int load = 0; load < 5; ++load) {
        absl::StatusOr<Session> session =
            Session::LoadBytes(model, "model", options);
        // Errors of one disturb nobody.
        if (!session.ok() || Session::LoadBytes(model.substr(1), "cut").ok()) {
          ++wrong;
          return;
        }
        for (int run = 0; run < 5; ++run) {
          if (Logits(*session, kImages) != expected) ++wrong;
          if (Logits(*session, 1) != first) ++wrong;
        }
      }
    });
  }
  for (std::thread& user : users) user.join();
  EXPECT_EQ(wrong, 0);
}

// A session may go from thread to thread, as long as it is in one at a time.
TEST(SessionThreadsTest, SessionsChangeThreads) {
  SessionOptions options;
  options.threads = 2;
  absl::StatusOr<Session> loaded =
      Session::LoadBytes(Model(), "model", options);
  ASSERT_THAT(loaded, IsOk());
  Session session = *std::move(loaded);
  const std::vector<float> expected = Logits(session, kImages);
  for (int i = 0; i < 5; ++i) {
    std::vector<float> logits;
    std::thread([&] { logits = Logits(session, kImages); }).join();
    EXPECT_EQ(logits, expected);
  }
  std::thread([other = std::move(session)] {}).join();
}

}  // namespace
}  // namespace fairdarts
