#include "training/export/export_command.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/file.h"
#include "fairdarts/runtime/model_file.h"
#include "onnx/onnx.pb.h"
#include "tests/golden/golden_data.h"
#include "tests/status_matchers.h"

namespace fairdarts {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ExportCommandTest : public testing::Test {
 protected:
  ExportCommandTest()
      : folder_(absl::StrCat(
            testing::TempDir(), "/",
            testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(folder_);
    setenv("BUILD_WORKING_DIRECTORY", folder_.c_str(), 1);
  }

  int Export(const std::vector<std::string>& arguments) {
    std::vector<const char*> argv = {"export_model"};
    for (const std::string& argument : arguments) {
      argv.push_back(argument.c_str());
    }
    std::ostringstream out;
    std::ostringstream err;
    RunLog log(out, err, /*terminal=*/false, /*columns=*/80);
    const int code =
        ExportCommand(static_cast<int>(argv.size()), argv.data(), log);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  static std::string Checkpoint(const char* file) {
    return absl::StrCat("--model_path=",
                        GoldenPath(absl::StrCat("checkpoints/", file)));
  }

  std::string Path(const char* file) const {
    return absl::StrCat(folder_, "/", file);
  }

  const std::string folder_;
  std::string out_;
  std::string err_;
};

TEST_F(ExportCommandTest, CheckpointToModelToOnnx) {
  ASSERT_EQ(Export({Checkpoint("FairDARTS_b.dataparallel_thop.tar"),
                    "--genotype=FairDARTS_b"}),
            0)
      << err_;
  EXPECT_THAT(out_, HasSubstr("module."));
  const absl::StatusOr<ModelFile> file =
      ModelFile::Load(Path("model.safetensors"));
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->description().network.classes, 10);
  EXPECT_THAT(file->description().normalization.mean,
              ElementsAre(.49139968, .48215827, .44653124));

  ASSERT_EQ(Export({"--model_path=model.safetensors", "--format=onnx"}), 0)
      << err_;
  const absl::StatusOr<std::string> bytes = ReadFile(Path("model.onnx"));
  ASSERT_THAT(bytes, IsOk());
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(*bytes));
  EXPECT_EQ(model.graph().output(0).name(), "logits");
}

TEST_F(ExportCommandTest, BestAndLastOfARun) {
  ASSERT_EQ(Export({Checkpoint("DARTS_V2.zip.tar"), "--genotype=DARTS_V2",
                    "--init_channels=4", "--layers=3", "--mean=0.1,0.2,0.3",
                    "--std=1,2,3", "--output=last.safetensors"}),
            0)
      << err_;
  std::filesystem::create_directories(Path("run"));
  std::filesystem::copy_file(Path("last.safetensors"),
                             Path("run/last.safetensors"));
  ASSERT_EQ(Export({"--run=run"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("is not there: takes last.safetensors"));
  EXPECT_THAT(out_, HasSubstr("run/last.safetensors"));
  const absl::StatusOr<ModelFile> file =
      ModelFile::Load(Path("run/model.safetensors"));
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(file->description().normalization.std, ElementsAre(1, 2, 3));

  std::filesystem::copy_file(Path("last.safetensors"),
                             Path("run/best.safetensors"));
  ASSERT_EQ(Export({"--run=run"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("run/best.safetensors"));
  ASSERT_EQ(Export({"--run=run", "--weights=last"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("run/last.safetensors"));
}

TEST_F(ExportCommandTest, SaysWhatIsWrong) {
  EXPECT_EQ(Export({}), 2);
  EXPECT_THAT(err_, HasSubstr("no training has left weights in"));
  EXPECT_EQ(Export({"--run=run", "--model_path=x"}), 2);
  EXPECT_THAT(err_, HasSubstr("give one"));
  EXPECT_EQ(Export({"--model_path=nowhere.tar"}), 3);
  EXPECT_THAT(err_, HasSubstr("nowhere.tar"));
  EXPECT_EQ(Export({Checkpoint("DARTS_V2.zip.tar")}), 2);
  EXPECT_THAT(err_, HasSubstr("name it with --genotype; its tensors are those "
                              "of fairdarts/DARTS_V2"));
  const std::vector<std::string> right = {Checkpoint("DARTS_V2.zip.tar"),
                                          "--genotype=DARTS_V2",
                                          "--init_channels=4", "--layers=3"};
  const auto also = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = right;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Export(arguments);
  };
  EXPECT_EQ(also({"--mean=1,2,3"}), 2);
  EXPECT_THAT(err_, HasSubstr("belong together"));
  EXPECT_EQ(also({"--mean=1,b,3", "--std=1,1,1"}), 2);
  EXPECT_THAT(err_, HasSubstr("--mean: \"1,b,3\" is no list of numbers"));
  EXPECT_EQ(also({"--mean=1,2", "--std=1,1"}), 4);
  EXPECT_THAT(err_, HasSubstr("mean: has 2 numbers; an image has 3 channels"));
  EXPECT_EQ(also({"--layers=4"}), 2);
  EXPECT_THAT(err_, HasSubstr("DARTS_V2.zip.tar: layers 4: the tensors are "
                              "those of a network with 3"));
  EXPECT_EQ(also({"--init_channels=36"}), 2);
  EXPECT_THAT(err_, HasSubstr("init_channels 36"));
  EXPECT_EQ(also({"--genotype=FairDARTS_b"}), 4);
  EXPECT_THAT(err_, HasSubstr("its tensors are those of fairdarts/DARTS_V2, "
                              "not of fairdarts/FairDARTS_b: "));
  EXPECT_EQ(also({"--output=nodir/x"}), 2);
  EXPECT_THAT(err_, HasSubstr("--output nodir/x: "));
  EXPECT_EQ(also({"--weights=last"}), 2);
  EXPECT_THAT(err_, HasSubstr("--weights=last: "));
  EXPECT_FALSE(std::filesystem::exists(Path("model.safetensors")));

  ASSERT_EQ(also({}), 0) << err_;
  EXPECT_EQ(Export({"--model_path=model.safetensors", "--layers=3"}), 2);
  EXPECT_THAT(err_, HasSubstr("--layers: "));
  EXPECT_THAT(err_, HasSubstr("says it itself"));
  EXPECT_EQ(
      Export({"--model_path=model.safetensors", "--parse_method=threshold"}),
      2);
  EXPECT_THAT(err_, HasSubstr("parse_method threshold: "));
}

}  // namespace
}  // namespace fairdarts
