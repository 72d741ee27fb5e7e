#ifndef FAIRDARTS_BASE_JSON_EVENTS_H_
#define FAIRDARTS_BASE_JSON_EVENTS_H_

// JSON taken apart event by event, for formats that are read strictly: no tree
// of values, no recursion, and duplicates are seen before a map merges them.

#include <nlohmann/json.hpp>

#include "absl/strings/string_view.h"

namespace fairdarts {

// Gives all of `text`, one JSON value, to `handler`; false where it is no JSON
// or the handler refused something. The parser is large: it is made once, here,
// in place of once for each handler.
bool ParseJsonEvents(absl::string_view text,
                     nlohmann::json_sax<nlohmann::json>* handler);

}  // namespace fairdarts

#endif  // FAIRDARTS_BASE_JSON_EVENTS_H_
