#include "fairdarts/base/json_events.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace fairdarts {
namespace {

// Writes down what it sees, and refuses null.
class Recorder : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::string seen;

  bool null() override { return false; }
  bool boolean(bool value) override { return Add(value ? "true" : "false"); }
  bool number_integer(int64_t value) override { return Add(value); }
  bool number_unsigned(uint64_t value) override { return Add(value); }
  bool number_float(double value, const std::string&) override {
    return Add(value);
  }
  bool string(std::string& value) override { return Add(value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Add("{"); }
  bool key(std::string& value) override { return Add(value + ":"); }
  bool end_object() override { return Add("}"); }
  bool start_array(size_t) override { return Add("["); }
  bool end_array() override { return Add("]"); }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    Add(absl::StrCat("error at ", position));
    return false;
  }

 private:
  bool Add(const absl::AlphaNum& event) {
    absl::StrAppend(&seen, seen.empty() ? "" : " ", event);
    return true;
  }
};

TEST(JsonEventsTest, EventsComeInTheOrderOfTheText) {
  Recorder recorder;
  EXPECT_TRUE(
      ParseJsonEvents(R"({"a": [1, -2, 0.5, "x", true], "a": {}})", &recorder));
  EXPECT_EQ(recorder.seen, "{ a: [ 1 -2 0.5 x true ] a: { } }");
}

TEST(JsonEventsTest, EndsWhereTheHandlerRefuses) {
  Recorder recorder;
  EXPECT_FALSE(ParseJsonEvents("[1, null, 2]", &recorder));
  EXPECT_EQ(recorder.seen, "[ 1");
}

TEST(JsonEventsTest, EndsAtWhatIsNoJson) {
  Recorder recorder;
  EXPECT_FALSE(ParseJsonEvents("[1, }", &recorder));
  EXPECT_EQ(recorder.seen, "[ 1 error at 5");
  Recorder behind;
  EXPECT_FALSE(ParseJsonEvents("[] []", &behind));
  Recorder nothing;
  EXPECT_FALSE(ParseJsonEvents("", &nothing));
}

}  // namespace
}  // namespace fairdarts
