#include "fairdarts/classifier/report.h"

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fairdarts {
namespace {

// In one line; bytes that are not UTF-8 are replaced.
std::string Line(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false,
                   nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    // Control characters of Latin-1, as UTF-8 writes them.
    const bool high_control = byte == 0xC2 && i + 1 < text.size() &&
                              static_cast<uint8_t>(text[i + 1]) >= 0x80 &&
                              static_cast<uint8_t>(text[i + 1]) < 0xA0;
    if (high_control) ++i;
    result += high_control || byte < 0x20 || byte == 0x7F ? '?' : text[i];
  }
  return result;
}

std::string ClassesText(absl::string_view image,
                        const std::vector<ClassProbability>& classes,
                        const std::vector<std::string>& class_names) {
  std::string text = absl::StrCat(Printable(image), "\n");
  for (const auto& [index, probability] : classes) {
    absl::StrAppendFormat(&text, "  %6.2f %%  %s\n", 100 * probability,
                          class_names.empty() ? absl::StrCat(index)
                                              : Printable(class_names[index]));
  }
  return text;
}

std::string ClassesJson(absl::string_view image,
                        const std::vector<ClassProbability>& classes,
                        const std::vector<std::string>& class_names) {
  nlohmann::ordered_json json;
  json["image"] = std::string(image);
  json["classes"] = nlohmann::ordered_json::array();
  for (const auto& [index, probability] : classes) {
    nlohmann::ordered_json entry;
    entry["index"] = index;
    if (!class_names.empty()) entry["class"] = class_names[index];
    entry["probability"] = probability;
    json["classes"].push_back(std::move(entry));
  }
  return Line(json);
}

std::string ErrorJson(absl::string_view image, absl::string_view error) {
  nlohmann::ordered_json json;
  json["image"] = std::string(image);
  json["error"] = std::string(error);
  return Line(json);
}

}  // namespace fairdarts
