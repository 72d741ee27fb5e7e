#ifndef FAIRDARTS_BASE_XML_TEXT_H_
#define FAIRDARTS_BASE_XML_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace fairdarts {

// A text as XML's character data, also within quotes, whatever it holds: the
// five characters that mean something as entities, a question mark for each
// byte that is no UTF-8 or no character of XML. Of more than `max_characters`
// the first ones and "...".
std::string XmlText(absl::string_view text, size_t max_characters = 120);

}  // namespace fairdarts

#endif  // FAIRDARTS_BASE_XML_TEXT_H_
