#ifndef TRAINING_FIELD_VALUE_H_
#define TRAINING_FIELD_VALUE_H_

// One field of a configuration as text, under the rules that its FlagOptions
// state (see flag_options.proto). Fields are singular numbers, bools, strings
// and enums; anything else in a configuration is our own bug.

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace fairdarts {

// Sets `field` from `text` and checks it. `name` is how the user knows the
// field ("--batch_size"); the usage error names it, the text and what would
// be right. `message` is then not to be used.
absl::Status ParseField(absl::string_view name, absl::string_view text,
                        const google::protobuf::FieldDescriptor& field,
                        google::protobuf::Message& message);

// Checks bounds, finiteness and refusals of every field that is set.
absl::Status CheckFields(const google::protobuf::Message& message);

// The value (or the default, where it is not set) in the spelling that
// ParseField takes: numbers in the fewest digits, enums as "threshold_sparse".
std::string FieldText(const google::protobuf::Message& message,
                      const google::protobuf::FieldDescriptor& field);

// The spellings of the values of an enum that are not refused.
std::vector<std::string> EnumSpellings(
    const google::protobuf::EnumDescriptor& values);

}  // namespace fairdarts

#endif  // TRAINING_FIELD_VALUE_H_
