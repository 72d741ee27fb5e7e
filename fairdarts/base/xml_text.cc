#include "fairdarts/base/xml_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace fairdarts {
namespace {

// Bytes of the UTF-8 character at the start of the text; 0 where there is none
// that XML may hold.
size_t CharacterLength(absl::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  unsigned code = lead & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr unsigned kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  const bool no_character = code == 0xfffe || code == 0xffff;
  if (code < kSmallest[length] || code > 0x10ffff || surrogate ||
      no_character) {
    return 0;
  }
  return length;
}

}  // namespace

std::string XmlText(absl::string_view text, size_t max_characters) {
  std::string escaped;
  for (size_t count = 0; !text.empty(); ++count) {
    if (count == max_characters) return escaped + "...";
    const size_t length = CharacterLength(text);
    const absl::string_view one = text.substr(0, length);
    if (length == 0) {
      escaped += '?';
    } else if (one == "&") {
      escaped += "&amp;";
    } else if (one == "<") {
      escaped += "&lt;";
    } else if (one == ">") {
      escaped += "&gt;";
    } else if (one == "\"") {
      escaped += "&quot;";
    } else if (one == "'") {
      escaped += "&apos;";
    } else {
      absl::StrAppend(&escaped, one);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return escaped;
}

}  // namespace fairdarts
