#include "training/export/export_command.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"
#include "fairdarts/runtime/model_file.h"
#include "training/command.h"
#include "training/export/export_model.pb.h"
#include "training/export/onnx_model.h"
#include "training/field_value.h"
#include "training/flags.h"
#include "training/model_source.h"
#include "training/output_path.h"

namespace fairdarts {
namespace {

constexpr char kUsage[] =
    "Writes a trained network for inference.\n"
    "usage: export_model [--run=FOLDER] [flags]\n"
    "       export_model --model_path=FILE [--genotype=WHICH] [flags]\n";

absl::StatusOr<std::vector<double>> NumbersOf(const std::string& text,
                                              absl::string_view flag) {
  std::vector<double> numbers;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    double number;
    if (!absl::SimpleAtod(part, &number) || !std::isfinite(number)) {
      return UsageError(absl::StrCat("--", flag, ": \"", text,
                                     "\" is no list of numbers such as "
                                     "0.5,0.5,0.5"));
    }
    numbers.push_back(number);
  }
  return numbers;
}

absl::StatusOr<absl::optional<Normalization>> GivenNormalization(
    const ExportConfig& config) {
  absl::optional<Normalization> none;
  if (config.mean().empty() != config.std().empty()) {
    return UsageError("--mean and --std belong together: give both or none");
  }
  if (config.mean().empty()) return none;
  Normalization normalization;
  FD_ASSIGN_OR_RETURN(normalization.mean, NumbersOf(config.mean(), "mean"));
  FD_ASSIGN_OR_RETURN(normalization.std, NumbersOf(config.std(), "std"));
  return absl::optional<Normalization>(std::move(normalization));
}

absl::StatusOr<ModelSourceOptions> SourceOptions(const ExportConfig& config) {
  ModelSourceOptions options;
  options.run = config.run();
  options.model_path = config.model_path();
  options.last = config.weights() == ExportConfig::LAST;
  options.runs_folder = RunsFolder();
  options.genotype = config.genotype();
  options.parse_method = config.parse_method();
  options.init_channels = config.init_channels();
  options.layers = config.layers();
  options.image_size = config.image_size();
  FD_ASSIGN_OR_RETURN(options.normalization, GivenNormalization(config));
  return options;
}

absl::Status Export(int argc, const char* const* argv, RunLog& log) {
  ExportConfig config;
  FD_RETURN_IF_ERROR(ParseFlags(argc, argv, config));
  FD_RETURN_IF_ERROR(CheckFields(config));
  FD_ASSIGN_OR_RETURN(const ModelSourceOptions options, SourceOptions(config));
  std::string output;
  if (!config.output().empty()) {
    FD_ASSIGN_OR_RETURN(output, OutputPath("output", config.output()));
  }
  FD_ASSIGN_OR_RETURN(const ModelSource source, FindModelSource(options, log));
  std::string bytes = source.bytes;
  const bool onnx = config.format() == ExportConfig::ONNX;
  if (onnx) {
    FD_ASSIGN_OR_RETURN(bytes, SerializeOnnxModel(source.model));
  }
  if (output.empty()) {
    output = onnx ? "model.onnx" : "model.safetensors";
    output = source.folder.empty() ? UserPath(output)
                                   : absl::StrCat(source.folder, "/", output);
  }
  FD_RETURN_IF_ERROR(WriteFileAtomic(output, bytes));
  log.Info(
      absl::StrCat(output, ": ", bytes.size(), " bytes, from ", source.path));
  return absl::OkStatus();
}

}  // namespace

int ExportCommand(int argc, const char* const* argv, RunLog& log) {
  if (HelpRequested(argc, argv)) {
    log.Info(absl::StrCat(kUsage, "\n", FlagsHelp(ExportConfig())));
    return static_cast<int>(ExitCode::kDone);
  }
  return EndProgram(Export(argc, argv, log), "export_model", log);
}

}  // namespace fairdarts
