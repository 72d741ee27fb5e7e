#ifndef TRAINING_TEXT_PROTO_H_
#define TRAINING_TEXT_PROTO_H_

// Configurations as protobuf's text format.

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace fairdarts {

// Parses `text` into `message`, which is cleared first. An unknown field, a
// field given twice and a value of the wrong type are usage errors that begin
// with "name:line:column: ".
absl::Status ParseTextProto(absl::string_view text, absl::string_view name,
                            google::protobuf::Message& message);

// The set fields of `message`, one a line; floating point in the fewest digits.
std::string TextProto(const google::protobuf::Message& message);

}  // namespace fairdarts

#endif  // TRAINING_TEXT_PROTO_H_
