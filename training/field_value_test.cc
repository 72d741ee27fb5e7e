#include "training/field_value.h"

#include <limits>

#include "fairdarts/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "training/config.pb.h"
#include "training/flag_options.pb.h"
#include "training/train_config.pb.h"

namespace fairdarts {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::testing::ElementsAre;

const FieldDescriptor& Field(const std::string& name) {
  const FieldDescriptor* const field =
      SearchConfig::descriptor()->FindFieldByName(name);
  EXPECT_NE(field, nullptr) << name;
  return *field;
}

// What ParseField says about `text`, or "" where it takes it.
std::string Complaint(const std::string& name, const std::string& text) {
  SearchConfig config;
  const absl::Status status = ParseField(name, text, Field(name), config);
  if (status.ok()) return "";
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage);
  return std::string(status.message());
}

TEST(FieldValueTest, EveryFieldHasHelpAndAGroup) {
  const auto* const descriptor = SearchConfig::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FlagOptions& options =
        descriptor->field(i)->options().GetExtension(flag);
    EXPECT_FALSE(options.help().empty()) << descriptor->field(i)->name();
    EXPECT_FALSE(options.group().empty()) << descriptor->field(i)->name();
  }
}

TEST(FieldValueTest, TextIsWhatParsesToTheSameValue) {
  SearchConfig config;
  const std::vector<std::pair<std::string, std::string>> values = {
      {"batch_size", "96"},
      {"seed", "18446744073709551615"},
      {"weight_decay", "0.0003"},
      {"learning_rate", "0.1"},
      {"momentum", "0.12345678901234566"},
      {"cutout", "true"},
      {"single_level", "false"},
      {"sep_loss", "l1"},
      {"parse_method", "threshold_edge"},
      {"save", "EXP-lr_0005"},
  };
  for (const auto& [name, text] : values) {
    ASSERT_TRUE(ParseField(name, text, Field(name), config).ok()) << name;
    EXPECT_EQ(FieldText(config, Field(name)), text) << name;
  }
  EXPECT_EQ(config.seed(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(config.learning_rate(), 0.1);
}

TEST(FieldValueTest, EnumsIgnoreCaseAndMarks) {
  for (const char* const text : {"threshold_sparse", "threshold-sparse",
                                 "THRESHOLD_SPARSE", "ThresholdSparse"}) {
    EXPECT_EQ(Complaint("parse_method", text), "") << text;
  }
}

TEST(FieldValueTest, RefusesWhatIsNoNumber) {
  EXPECT_EQ(Complaint("batch_size", "many"),
            "batch_size many: must be a whole number from 1 to 2147483647");
  EXPECT_EQ(Complaint("batch_size", ""),
            "batch_size '': must be a whole number from 1 to 2147483647");
  EXPECT_EQ(Complaint("batch_size", "3.5"),
            "batch_size 3.5: must be a whole number from 1 to 2147483647");
  EXPECT_EQ(Complaint("batch_size", "2147483648"),
            "batch_size 2147483648: must be a whole number from 1 to "
            "2147483647");
  EXPECT_EQ(Complaint("seed", "-1"),
            "seed -1: must be a whole number from 0 to 18446744073709551615");
  EXPECT_EQ(Complaint("weight_decay", "1e-3x"),
            "weight_decay 1e-3x: must be a number at least 0");
  EXPECT_EQ(Complaint("cutout", "maybe"),
            "cutout maybe: must be true or false");
}

TEST(FieldValueTest, RefusesWhatIsOutOfBounds) {
  EXPECT_EQ(Complaint("batch_size", "0"),
            "batch_size 0: must be a whole number from 1 to 2147483647");
  EXPECT_EQ(Complaint("epochs", "0"),
            "epochs 0: must be a whole number from 1 to 2147483647");
  EXPECT_EQ(Complaint("steps_per_epoch", "-1"),
            "steps_per_epoch -1: must be a whole number from 0 to 2147483647");
  EXPECT_EQ(Complaint("layers", "2"),
            "layers 2: must be a whole number from 3 to 2147483647");
  EXPECT_EQ(Complaint("layers", "3"), "");
  EXPECT_EQ(Complaint("threads", "1025"),
            "threads 1025: must be a whole number from 0 to 1024");
  EXPECT_EQ(Complaint("threads", "0"), "");
  for (const std::string name : {"op_threshold", "train_portion"}) {
    for (const std::string text : {"0", "1", "-0.5", "1.5", "nan", "inf"}) {
      EXPECT_EQ(Complaint(name, text),
                name + " " + text + ": must be a number above 0 and below 1");
    }
    EXPECT_EQ(Complaint(name, "0.999"), "");
  }
  for (const std::string name :
       {"learning_rate", "arch_learning_rate", "grad_clip"}) {
    for (const std::string text : {"0", "-1", "nan", "inf", "1e999"}) {
      EXPECT_EQ(Complaint(name, text),
                name + " " + text + ": must be a number above 0");
    }
  }
  for (const std::string name : {"momentum", "arch_lr_gamma"}) {
    EXPECT_EQ(Complaint(name, "1"),
              name + " 1: must be a number at least 0 and below 1");
    EXPECT_EQ(Complaint(name, "0"), "");
  }
}

TEST(FieldValueTest, RefusesUnknownEnumValues) {
  EXPECT_EQ(Complaint("parse_method", "treshold_sparse"),
            "parse_method treshold_sparse: must be darts, threshold_sparse or "
            "threshold_edge; did you mean threshold_sparse?");
  EXPECT_EQ(Complaint("sep_loss", "huber"), "sep_loss huber: must be l1 or l2");
  EXPECT_EQ(Complaint("sep_loss", "1"),
            "sep_loss 1: must be l1 or l2; did you mean l1?");
}

TEST(FieldValueTest, RefusesNamesThatAreNotHonoured) {
  TrainConfig config;
  const FieldDescriptor& opt = *config.GetDescriptor()->FindFieldByName("opt");
  EXPECT_EQ(ParseField("opt", "adam", opt, config).message(),
            "opt adam: derived networks are trained with SGD; use sgd");
}

TEST(FieldValueTest, ANameMayBeTheNumber0) {
  EXPECT_EQ(Complaint("device", "cuda"), "");
  EXPECT_EQ(Complaint("device", "0"), "");
  EXPECT_EQ(Complaint("device", "1"),
            "device 1: one GPU is used, the first that CUDA shows; use 0 and "
            "choose it with CUDA_VISIBLE_DEVICES");
}

TEST(FieldValueTest, ComplaintsAreOneReadableLine) {
  EXPECT_EQ(Complaint("batch_size", "1\n2"),
            "batch_size 1\\n2: must be a whole number from 1 to 2147483647");
  EXPECT_LT(Complaint("batch_size", std::string(100000, '9')).size(), 200u);
}

TEST(FieldValueTest, SetFieldsAreCheckedHoweverTheyWereSet) {
  SearchConfig config;
  EXPECT_TRUE(CheckFields(config).ok());
  config.set_batch_size(8);
  config.set_auto_aug(false);
  EXPECT_TRUE(CheckFields(config).ok());
  config.set_momentum(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(CheckFields(config).message(),
            "momentum nan: must be a number at least 0 and below 1");
  config.clear_momentum();
  TrainConfig train;
  train.set_opt(TrainConfig::ADAM);
  EXPECT_EQ(CheckFields(train).message(),
            "opt adam: derived networks are trained with SGD; use sgd");
}

TEST(FieldValueTest, RefusedEnumValuesAreNotOffered) {
  EXPECT_THAT(EnumSpellings(*TrainConfig::Optimizer_descriptor()),
              ElementsAre("sgd"));
  EXPECT_THAT(EnumSpellings(*SearchConfig::Device_descriptor()),
              ElementsAre("cpu", "cuda"));
  EXPECT_THAT(EnumSpellings(*SearchConfig::ParseMethod_descriptor()),
              ElementsAre("darts", "threshold_sparse", "threshold_edge"));
}

}  // namespace
}  // namespace fairdarts
