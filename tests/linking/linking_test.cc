// LibTorch carries a protobuf 3.13 of its own. Linked carelessly, its symbols
// and our protobuf's mix, and the process crashes in either one's registry:
// this binary uses both.

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>

#include "tests/linking/note.pb.h"

namespace fairdarts {
namespace {

TEST(LinkingTest, ProtobufAndLibTorchLiveInOneProcess) {
  tests::Note note;
  note.add_word("edge");
  note.set_count(14);
  std::string text;
  ASSERT_TRUE(google::protobuf::TextFormat::PrintToString(note, &text));
  tests::Note parsed;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &parsed));
  EXPECT_EQ(parsed.word(0), "edge");
  EXPECT_EQ(parsed.count(), 14);

  const torch::Tensor x = torch::full({2}, 3.0, torch::requires_grad());
  (x * x).sum().backward();
  EXPECT_TRUE(torch::equal(x.grad(), torch::full({2}, 6.0)));
}

}  // namespace
}  // namespace fairdarts
