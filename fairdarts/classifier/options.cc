#include "fairdarts/classifier/options.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "fairdarts/base/nearest_name.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

constexpr char kHelp[] =
    R"(Says what images show: the most probable classes of a trained network.
usage: classify --model=FILE [flags] IMAGE...

IMAGE is a PNG or JPEG file of any size, told apart by how it begins, or - for
standard input. A network made for images like CIFAR's sees the whole image,
scaled to its square; one for ImageNet has the shorter side scaled to 256/224 of
its size and sees the middle. An image of the network's own size stays as it is.
Transparency and colour profiles are ignored; an image that was taken with the
camera turned is seen upright.

  --model=FILE     the model, as //training:export_model writes it
  --top=N          how many classes, the most probable first [5]
  --format=text|json
                   text for people, or one JSON object an image, each on a line
                   of its own [text]
  --raw=chw|hwc    images are unsigned bytes and nothing else, exactly those
                   that the network takes: plane after plane (chw, as in CIFAR's
                   binary files) or pixel after pixel (hwc)
  --threads=N      threads of the network, 1 to 1024 [1]
  --help           this text

An image that cannot be read is reported on standard error (with --format=json
in its object too), and the others are still classified. The exit code is then
that of the first such image. Exit codes: 0 done, 2 usage, 3 an image, 4 the
model file, 5 an output that is not finite, 6 the environment.
)";

constexpr int kMaxThreads = 1024;
constexpr int kMaxTop = 1'000'000;  // as many classes as a model may have

absl::Status ParseInteger(absl::string_view flag, absl::string_view text,
                          int max, int* value) {
  if (absl::SimpleAtoi(text, value) && *value >= 1 && *value <= max) {
    return absl::OkStatus();
  }
  return UsageError(absl::StrCat(flag, " ", text,
                                 ": must be a whole number from 1 to ", max));
}

absl::Status SetModel(absl::string_view flag, absl::string_view text,
                      ClassifyOptions& options) {
  if (text.empty()) return UsageError(absl::StrCat(flag, ": names no file"));
  options.model = std::string(text);
  return absl::OkStatus();
}

absl::Status SetTop(absl::string_view flag, absl::string_view text,
                    ClassifyOptions& options) {
  return ParseInteger(flag, text, kMaxTop, &options.top);
}

absl::Status SetFormat(absl::string_view flag, absl::string_view text,
                       ClassifyOptions& options) {
  if (text == "text") {
    options.format = ClassifyOptions::Format::kText;
  } else if (text == "json") {
    options.format = ClassifyOptions::Format::kJson;
  } else {
    return UsageError(absl::StrCat(flag, " ", text, ": ",
                                   MustBeOneOf(text, {"text", "json"})));
  }
  return absl::OkStatus();
}

absl::Status SetRaw(absl::string_view flag, absl::string_view text,
                    ClassifyOptions& options) {
  if (text == "chw") {
    options.raw = RawLayout::kChw;
  } else if (text == "hwc") {
    options.raw = RawLayout::kHwc;
  } else {
    return UsageError(
        absl::StrCat(flag, " ", text, ": ", MustBeOneOf(text, {"chw", "hwc"})));
  }
  return absl::OkStatus();
}

absl::Status SetThreads(absl::string_view flag, absl::string_view text,
                        ClassifyOptions& options) {
  return ParseInteger(flag, text, kMaxThreads, &options.threads);
}

struct Flag {
  const char* name;
  absl::Status (*set)(absl::string_view flag, absl::string_view text,
                      ClassifyOptions& options);
};

constexpr Flag kFlags[] = {{"--model", SetModel},
                           {"--top", SetTop},
                           {"--format", SetFormat},
                           {"--raw", SetRaw},
                           {"--threads", SetThreads}};

absl::StatusOr<Flag> FindFlag(absl::string_view typed) {
  if (typed == "--help") return UsageError("--help: takes no value");
  std::vector<std::string> known = {"--help"};
  for (const Flag& flag : kFlags) {
    if (typed == flag.name) return flag;
    known.push_back(flag.name);
  }
  std::string guess = DidYouMean(typed, known);
  if (guess.empty()) guess = "--help lists the flags";
  return UsageError(absl::StrCat(typed, ": unknown flag; ", guess));
}

absl::Status CheckComplete(const ClassifyOptions& options) {
  if (options.model.empty()) {
    return UsageError("no model: give --model=FILE");
  }
  if (options.images.empty()) {
    return UsageError(
        "no image: name at least one file, or - for standard input");
  }
  if (std::count(options.images.begin(), options.images.end(), "-") > 1) {
    return UsageError("-: standard input can be one image only");
  }
  return absl::OkStatus();
}

}  // namespace

bool ClassifyHelpRequested(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = argv[i];
    if (argument == "--") return false;
    if (argument == "--help" || argument == "-h") return true;
  }
  return false;
}

absl::StatusOr<ClassifyOptions> ParseClassifyOptions(int argc,
                                                     const char* const* argv) {
  ClassifyOptions options;
  bool images_only = false;
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = argv[i];
    if (argument == "--" && !images_only) {
      images_only = true;
      continue;
    }
    if (images_only || argument == "-" || !absl::StartsWith(argument, "-")) {
      if (argument.empty()) return UsageError("'': names no image");
      options.images.push_back(std::string(argument));
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string typed(argument.substr(0, equals));
    FD_ASSIGN_OR_RETURN(const Flag flag, FindFlag(typed));
    absl::string_view value;
    if (equals != absl::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (i + 1 == argc || absl::StartsWith(argv[i + 1], "--")) {
      return UsageError(absl::StrCat(typed, ": needs a value, as ", typed,
                                     "=VALUE or ", typed, " VALUE"));
    } else {
      value = argv[++i];
    }
    FD_RETURN_IF_ERROR(flag.set(typed, value, options));
  }
  FD_RETURN_IF_ERROR(CheckComplete(options));
  return options;
}

std::string ClassifyHelp() { return kHelp; }

}  // namespace fairdarts
