#include "training/studies/run_row.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/discretization.h"
#include "genotypes/proto_io.h"
#include "training/search_files.h"
#include "training/timing.h"
#include "training/train_files.h"
#include "training/weight_matrix.h"

namespace fairdarts {
namespace {

constexpr char kTestFile[] = "test.json";

// A row an epoch of some dozen numbers.
constexpr int64_t kMaxTableBytes = int64_t{16} << 20;
constexpr int kMostEpochs = 1000000;

// The values of a column of a csv file, empty ones left out.
absl::StatusOr<std::vector<double>> ReadColumn(const std::string& path,
                                               absl::string_view column) {
  FD_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxTableBytes));
  const std::vector<absl::string_view> lines =
      absl::StrSplit(text, '\n', absl::SkipEmpty());
  size_t place = 0;
  std::vector<double> values;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::vector<absl::string_view> cells = absl::StrSplit(lines[i], ',');
    if (i == 0) {
      while (place < cells.size() && cells[place] != column) ++place;
    }
    double value = 0;
    if (place >= cells.size() ||
        (i > 0 && !cells[place].empty() &&
         (!absl::SimpleAtod(cells[place], &value) || !std::isfinite(value)))) {
      return DataError(absl::StrCat(path, ": line ", i + 1,
                                    ": has no number in a column ", column));
    }
    if (i > 0 && !cells[place].empty()) values.push_back(value);
  }
  return values;
}

absl::StatusOr<double> Seconds(const RunFolder& folder) {
  FD_ASSIGN_OR_RETURN(const std::vector<double> epochs,
                      ReadColumn(folder.File(kTimingFile), "seconds"));
  double seconds = 0;
  for (const double epoch : epochs) seconds += epoch;
  return seconds;
}

int NearHalf(const EdgeMatrix& matrix) {
  int count = 0;
  for (const float weight : matrix.values) {
    if (std::abs(weight - 0.5f) < kNearHalf) ++count;
  }
  return count;
}

// The JSON object of a file.
absl::StatusOr<nlohmann::json> ReadJson(const std::string& path) {
  FD_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxTableBytes));
  nlohmann::json json =
      nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return DataError(absl::StrCat(path, ": is no JSON object"));
  }
  return json;
}

absl::StatusOr<double> Number(const nlohmann::json& json, const char* name,
                              double least, double most,
                              const std::string& path) {
  const auto field = json.find(name);
  if (field != json.end() && field->is_number()) {
    const double value = field->get<double>();
    if (value >= least && value <= most) return value;
  }
  return DataError(absl::StrCat(path, ": ", name, ": must be a number from ",
                                least, " to ", most));
}

absl::StatusOr<int> WholeNumber(const nlohmann::json& json, const char* name,
                                int least, int most, const std::string& path) {
  const auto field = json.find(name);
  if (field != json.end() && field->is_number_integer()) {
    // Compared as doubles, so that none wraps around.
    const double value = field->get<double>();
    if (value >= least && value <= most) return static_cast<int>(value);
  }
  return DataError(absl::StrCat(
      path, ": ", name, ": must be a whole number from ", least, " to ", most));
}

// How well the state does that a search took, and after which epoch that was.
absl::Status ReadSearchResult(const RunFolder& folder, SearchOutcome& outcome) {
  const std::string path = folder.File(kSearchResult);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    // Searches of earlier versions left none: they took the state of the last
    // row.
    FD_ASSIGN_OR_RETURN(const std::vector<double> top1,
                        ReadColumn(folder.File(kSearchMetrics), "valid_top1"));
    if (!top1.empty()) outcome.top1 = top1.back();
    return absl::OkStatus();
  }
  FD_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJson(path));
  FD_ASSIGN_OR_RETURN(const int epochs,
                      WholeNumber(json, "epochs", 1, kMostEpochs, path));
  const auto returned_to = json.find("returned_to");
  if (returned_to == json.end() || !returned_to->is_null()) {
    FD_ASSIGN_OR_RETURN(outcome.returned_to,
                        WholeNumber(json, "returned_to", 0, epochs - 1, path));
  }
  FD_ASSIGN_OR_RETURN(outcome.top1, Number(json, "valid_top1", 0, 1, path));
  return absl::OkStatus();
}

}  // namespace

absl::string_view RunStateName(RunState state) {
  switch (state) {
    case RunState::kTrained:
      return "trained";
    case RunState::kNoNetwork:
      return "no network";
    case RunState::kNoMatch:
      return "no match";
    case RunState::kDiverged:
      return "diverged";
  }
  return "";
}

absl::StatusOr<SearchOutcome> ReadSearchOutcome(const RunFolder& folder,
                                                float threshold) {
  SearchOutcome outcome;
  FD_ASSIGN_OR_RETURN(outcome.genotype,
                      ReadGenotypeFile(folder.File("genotype.textproto"),
                                       GenotypeFormat::kText));
  FD_ASSIGN_OR_RETURN(const EdgeMatrix normal,
                      ReadWeightMatrix(folder.File("normal_weight.npy")));
  FD_ASSIGN_OR_RETURN(const EdgeMatrix reduce,
                      ReadWeightMatrix(folder.File("reduce_weight.npy")));
  FD_ASSIGN_OR_RETURN(outcome.decision, Decide(normal, reduce, threshold));
  outcome.near_half = NearHalf(normal) + NearHalf(reduce);
  FD_RETURN_IF_ERROR(ReadSearchResult(folder, outcome));
  FD_ASSIGN_OR_RETURN(outcome.seconds, Seconds(folder));
  return outcome;
}

absl::StatusOr<TrainOutcome> ReadTrainOutcome(const RunFolder& folder) {
  const std::string path = folder.File(kTrainResult);
  FD_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJson(path));
  TrainOutcome outcome;
  FD_ASSIGN_OR_RETURN(outcome.valid_top1,
                      Number(json, "best_valid_top1", 0, 1, path));
  FD_ASSIGN_OR_RETURN(outcome.best_epoch,
                      WholeNumber(json, "best_epoch", 1, kMostEpochs, path));
  FD_ASSIGN_OR_RETURN(outcome.seconds, Seconds(folder));
  return outcome;
}

absl::Status WriteTestOutcome(const TestOutcome& test,
                              const RunFolder& folder) {
  FD_CHECK(test.images > 0);
  nlohmann::ordered_json json;
  json["images"] = test.images;
  json["correct"] = test.correct;
  json["top1"] = test.top1();
  return folder.Write(kTestFile, json.dump(2) + "\n");
}

absl::StatusOr<absl::optional<TestOutcome>> ReadTestOutcome(
    const RunFolder& folder) {
  const std::string path = folder.File(kTestFile);
  absl::optional<TestOutcome> test;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return test;
  FD_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJson(path));
  // Doubles hold whole numbers up to 2^53.
  FD_ASSIGN_OR_RETURN(const double images,
                      Number(json, "images", 1, 1e15, path));
  FD_ASSIGN_OR_RETURN(const double correct,
                      Number(json, "correct", 0, images, path));
  test.emplace();
  test->images = static_cast<int64_t>(images);
  test->correct = static_cast<int64_t>(correct);
  return test;
}

}  // namespace fairdarts
