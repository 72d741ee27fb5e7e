#include "fairdarts/classifier/classify_command.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"
#include "fairdarts/classifier/image_source.h"
#include "fairdarts/classifier/options.h"
#include "fairdarts/classifier/report.h"
#include "fairdarts/classifier/top_classes.h"
#include "fairdarts/image/decode_image.h"
#include "fairdarts/image/prepare_image.h"
#include "fairdarts/image/raw_image.h"
#include "fairdarts/inference.h"

namespace fairdarts {
namespace {

// Images that the network sees at a time: enough for its threads, and few
// enough for the memory of any machine.
constexpr size_t kMaxBatch = 64;
constexpr size_t kMaxBatchFloats = size_t{1} << 22;

class Classifier {
 public:
  Classifier(const ClassifyOptions& options, Session session, std::istream& in,
             std::ostream& out, std::ostream& err)
      : options_(options),
        session_(std::move(session)),
        in_(in),
        out_(out),
        err_(err) {}

  // The code of the first image that could not be classified, which has been
  // reported. Errors of other kinds end the work and have not.
  absl::StatusOr<ExitCode> Run() {
    const size_t image_floats = session_.image_floats();
    const size_t batch =
        std::min({kMaxBatch, options_.images.size(),
                  std::max<size_t>(1, kMaxBatchFloats / image_floats)});
    input_.resize(batch * image_floats);
    logits_.resize(batch * session_.classes());
    const absl::Span<const std::string> all = options_.images;
    for (size_t begin = 0; begin < all.size(); begin += batch) {
      FD_RETURN_IF_ERROR(RunBatch(all.subspan(begin, batch)));
    }
    return exit_code_;
  }

 private:
  absl::Status RunBatch(absl::Span<const std::string> names) {
    const size_t image_floats = session_.image_floats();
    const absl::Span<float> input = absl::MakeSpan(input_);
    std::vector<absl::Status> read;
    size_t sound = 0;
    for (const std::string& name : names) {
      read.push_back(
          Read(name, input.subspan(sound * image_floats, image_floats)));
      if (read.back().ok()) ++sound;
    }
    const size_t classes = session_.classes();
    const absl::Span<float> logits = absl::MakeSpan(logits_);
    if (sound > 0) {
      FD_RETURN_IF_ERROR(session_.Run(input.first(sound * image_floats),
                                      logits.first(sound * classes)));
    }
    size_t row = 0;
    for (size_t i = 0; i < names.size(); ++i) {
      if (read[i].ok()) {
        Report(names[i], logits.subspan(row++ * classes, classes));
      } else {
        ReportError(names[i], read[i]);
      }
    }
    out_.flush();
    if (!out_) return EnvironmentError("standard output cannot be written");
    return absl::OkStatus();
  }

  absl::Status Read(const std::string& name, absl::Span<float> input) {
    FD_ASSIGN_OR_RETURN(const std::string bytes, ReadImageBytes(name, in_));
    const ModelDescription& model = session_.description();
    const NetworkConfig& network = model.network;
    const absl::StatusOr<Image> image =
        options_.raw.has_value()
            ? RawImage(bytes, *options_.raw, network.image_channels,
                       network.image_size, network.image_size)
            : DecodeImage(bytes);
    FD_RETURN_IF_ERROR(Annotate(image.status(), name));
    return Annotate(PrepareImage(*image, model, input), name);
  }

  void Report(const std::string& name, absl::Span<const float> logits) {
    const absl::StatusOr<std::vector<ClassProbability>> classes =
        TopClasses(logits, options_.top);
    if (!classes.ok()) {
      ReportError(name, Annotate(classes.status(), name));
      return;
    }
    const auto format = options_.format == ClassifyOptions::Format::kJson
                            ? ClassesJson
                            : ClassesText;
    out_ << format(name, *classes, session_.description().class_names);
  }

  void ReportError(const std::string& name, const absl::Status& error) {
    if (exit_code_ == ExitCode::kDone) exit_code_ = ExitCodeOf(error);
    const std::string message(error.message());
    if (options_.format == ClassifyOptions::Format::kJson) {
      out_ << ErrorJson(name, message);
    }
    out_.flush();
    err_ << "classify: " << Printable(message) << "\n";
  }

  const ClassifyOptions& options_;
  Session session_;
  std::istream& in_;
  std::ostream& out_;
  std::ostream& err_;
  std::vector<float> input_;
  std::vector<float> logits_;
  ExitCode exit_code_ = ExitCode::kDone;
};

absl::StatusOr<ExitCode> Classify(int argc, const char* const* argv,
                                  std::istream& in, std::ostream& out,
                                  std::ostream& err) {
  FD_ASSIGN_OR_RETURN(const ClassifyOptions options,
                      ParseClassifyOptions(argc, argv));
  SessionOptions session_options;
  session_options.threads = options.threads;
  FD_ASSIGN_OR_RETURN(Session session,
                      Session::Load(UserPath(options.model), session_options));
  return Classifier(options, std::move(session), in, out, err).Run();
}

}  // namespace

int ClassifyCommand(int argc, const char* const* argv, std::istream& in,
                    std::ostream& out, std::ostream& err) {
  if (ClassifyHelpRequested(argc, argv)) {
    out << ClassifyHelp() << std::flush;
    return static_cast<int>(ExitCode::kDone);
  }
  const absl::StatusOr<ExitCode> code = Classify(argc, argv, in, out, err);
  if (code.ok()) return static_cast<int>(*code);
  err << "classify: " << Printable(code.status().message()) << "\n";
  return static_cast<int>(ExitCodeOf(code.status()));
}

}  // namespace fairdarts
