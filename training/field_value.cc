#include "training/field_value.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/nearest_name.h"
#include "fairdarts/base/status.h"
#include "training/flag_options.pb.h"

namespace fairdarts {
namespace {

using ::google::protobuf::EnumDescriptor;
using ::google::protobuf::EnumValueDescriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

const FlagOptions& OptionsOf(const FieldDescriptor& field) {
  return field.options().GetExtension(flag);
}

const FlagValueOptions& OptionsOf(const EnumValueDescriptor& value) {
  return value.options().GetExtension(flag_value);
}

std::string Spelling(const EnumValueDescriptor& value) {
  return absl::AsciiStrToLower(value.name());
}

// An enum's name without case and the marks between its words.
std::string Folded(absl::string_view name) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(name),
                             {{"-", ""}, {"_", ""}});
}

// The fewest digits that read back as `value`.
std::string NumberText(double value) {
  std::string text;
  for (int digits = 6; digits <= 17; ++digits) {
    text = absl::StrFormat("%.*g", digits, value);
    double back;
    if (absl::SimpleAtod(text, &back) && back == value) break;
  }
  return text;
}

// "name text: what": the text as one readable word, whatever is in it.
absl::Status BadValue(absl::string_view name, absl::string_view text,
                      absl::string_view what) {
  constexpr size_t kShown = 80;
  std::string shown = absl::CHexEscape(text.substr(0, kShown));
  if (text.size() > kShown) shown += "...";
  if (shown.empty() || absl::StrContains(shown, ' ')) {
    shown = absl::StrCat("'", shown, "'");
  }
  return UsageError(absl::StrCat(name, " ", shown, ": ", what));
}

// Bounds of the type and of the options together.
template <typename T>
std::string WholeNumberRule(const FlagOptions& options) {
  std::string lowest = absl::StrCat(std::numeric_limits<T>::lowest());
  std::string highest = absl::StrCat(std::numeric_limits<T>::max());
  if (options.has_at_least()) lowest = NumberText(options.at_least());
  if (options.has_at_most()) highest = NumberText(options.at_most());
  return absl::StrCat("must be a whole number from ", lowest, " to ", highest);
}

std::string RealNumberRule(const FlagOptions& options) {
  std::vector<std::string> bounds;
  const auto add = [&](bool has, absl::string_view words, double bound) {
    if (has) bounds.push_back(absl::StrCat(words, " ", NumberText(bound)));
  };
  add(options.has_at_least(), "at least", options.at_least());
  add(options.has_above(), "above", options.above());
  add(options.has_at_most(), "at most", options.at_most());
  add(options.has_below(), "below", options.below());
  return absl::StrCat("must be a number", bounds.empty() ? "" : " ",
                      absl::StrJoin(bounds, " and "));
}

// What a value of `field` must be.
std::string Rule(const FieldDescriptor& field) {
  const FlagOptions& options = OptionsOf(field);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return WholeNumberRule<int32_t>(options);
    case FieldDescriptor::CPPTYPE_UINT64:
      return WholeNumberRule<uint64_t>(options);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return RealNumberRule(options);
    case FieldDescriptor::CPPTYPE_BOOL:
      return "must be true or false";
    default:
      return "";
  }
}

bool InBounds(double value, const FlagOptions& options) {
  return std::isfinite(value) &&
         (!options.has_at_least() || value >= options.at_least()) &&
         (!options.has_above() || value > options.above()) &&
         (!options.has_at_most() || value <= options.at_most()) &&
         (!options.has_below() || value < options.below());
}

// Checks the value that `field` has; `text` is how the user wrote it.
absl::Status CheckField(absl::string_view name, absl::string_view text,
                        const FieldDescriptor& field, const Message& message) {
  const FlagOptions& options = OptionsOf(field);
  const auto* const reflection = message.GetReflection();
  bool asks_for_something = true;
  bool in_bounds = true;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      asks_for_something = reflection->GetInt32(message, &field) != 0;
      in_bounds = InBounds(reflection->GetInt32(message, &field), options);
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      asks_for_something = reflection->GetUInt64(message, &field) != 0;
      in_bounds = InBounds(
          static_cast<double>(reflection->GetUInt64(message, &field)), options);
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      asks_for_something = reflection->GetDouble(message, &field) != 0;
      in_bounds = InBounds(reflection->GetDouble(message, &field), options);
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      asks_for_something = reflection->GetBool(message, &field);
      break;
    case FieldDescriptor::CPPTYPE_STRING:
      asks_for_something = !reflection->GetString(message, &field).empty();
      break;
    case FieldDescriptor::CPPTYPE_ENUM: {
      const FlagValueOptions& value =
          OptionsOf(*reflection->GetEnum(message, &field));
      if (value.has_refused()) return BadValue(name, text, value.refused());
      break;
    }
    default:
      FD_CHECK(false) << field.full_name() << " has a type without flags";
  }
  if (!in_bounds) return BadValue(name, text, Rule(field));
  if (options.has_refused() && asks_for_something) {
    return BadValue(name, text, options.refused());
  }
  return absl::OkStatus();
}

// The value of an enum that `text` names.
absl::StatusOr<const EnumValueDescriptor*> FindEnumValue(
    absl::string_view name, absl::string_view text,
    const EnumDescriptor& values) {
  uint64_t number;
  const bool is_number = absl::SimpleAtoi(text, &number);
  for (int i = 0; i < values.value_count(); ++i) {
    const EnumValueDescriptor* const value = values.value(i);
    const FlagValueOptions& options = OptionsOf(*value);
    if (is_number && options.has_only_number_0()) {
      if (number == 0 || options.has_refused()) return value;
      return BadValue(name, text, options.only_number_0());
    }
    if (!is_number && Folded(text) == Folded(value->name())) return value;
  }
  return BadValue(name, text, MustBeOneOf(text, EnumSpellings(values)));
}

}  // namespace

absl::Status ParseField(absl::string_view name, absl::string_view text,
                        const FieldDescriptor& field, Message& message) {
  FD_CHECK(!field.is_repeated()) << field.full_name() << " is repeated";
  const auto* const reflection = message.GetReflection();
  bool parsed = true;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      int32_t value = 0;
      parsed = absl::SimpleAtoi(text, &value);
      reflection->SetInt32(&message, &field, value);
      break;
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      uint64_t value = 0;
      parsed = absl::SimpleAtoi(text, &value);
      reflection->SetUInt64(&message, &field, value);
      break;
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double value = 0;
      parsed = absl::SimpleAtod(text, &value);
      reflection->SetDouble(&message, &field, value);
      break;
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      bool value = false;
      parsed = absl::SimpleAtob(text, &value);
      reflection->SetBool(&message, &field, value);
      break;
    }
    case FieldDescriptor::CPPTYPE_STRING:
      reflection->SetString(&message, &field, std::string(text));
      break;
    case FieldDescriptor::CPPTYPE_ENUM: {
      FD_ASSIGN_OR_RETURN(const EnumValueDescriptor* const value,
                          FindEnumValue(name, text, *field.enum_type()));
      reflection->SetEnum(&message, &field, value);
      break;
    }
    default:
      FD_CHECK(false) << field.full_name() << " has a type without flags";
  }
  if (!parsed) return BadValue(name, text, Rule(field));
  return CheckField(name, text, field, message);
}

absl::Status CheckFields(const Message& message) {
  std::vector<const FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  for (const FieldDescriptor* const field : set) {
    FD_RETURN_IF_ERROR(
        CheckField(field->name(), FieldText(message, *field), *field, message));
  }
  return absl::OkStatus();
}

std::string FieldText(const Message& message, const FieldDescriptor& field) {
  const auto* const reflection = message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(reflection->GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(reflection->GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return NumberText(reflection->GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(message, &field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->GetString(message, &field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return Spelling(*reflection->GetEnum(message, &field));
    default:
      FD_CHECK(false) << field.full_name() << " has a type without flags";
  }
  return "";
}

std::vector<std::string> EnumSpellings(const EnumDescriptor& values) {
  std::vector<std::string> spellings;
  for (int i = 0; i < values.value_count(); ++i) {
    if (OptionsOf(*values.value(i)).has_refused()) continue;
    spellings.push_back(Spelling(*values.value(i)));
  }
  return spellings;
}

}  // namespace fairdarts
