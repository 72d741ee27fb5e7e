#include "fairdarts/base/json_events.h"

#include <cstdint>
#include <string>

namespace fairdarts {
namespace {

using Handler = nlohmann::json_sax<nlohmann::json>;

// Hands everything on. As a type of this file alone it lets the compiler see
// that the parser is used once, for text: readers of binary formats are left
// out, which are several times as large.
class Forwarder {
 public:
  explicit Forwarder(Handler* to) : to_(*to) {}

  bool null() { return to_.null(); }
  bool boolean(bool value) { return to_.boolean(value); }
  bool number_integer(int64_t value) { return to_.number_integer(value); }
  bool number_unsigned(uint64_t value) { return to_.number_unsigned(value); }
  bool number_float(double value, const std::string& text) {
    return to_.number_float(value, text);
  }
  bool string(std::string& value) { return to_.string(value); }
  bool binary(Handler::binary_t& value) { return to_.binary(value); }
  bool start_object(size_t size) { return to_.start_object(size); }
  bool key(std::string& value) { return to_.key(value); }
  bool end_object() { return to_.end_object(); }
  bool start_array(size_t size) { return to_.start_array(size); }
  bool end_array() { return to_.end_array(); }
  bool parse_error(size_t position, const std::string& token,
                   const nlohmann::json::exception& error) {
    return to_.parse_error(position, token, error);
  }

 private:
  Handler& to_;
};

}  // namespace

bool ParseJsonEvents(absl::string_view text, Handler* handler) {
  Forwarder forwarder(handler);
  return nlohmann::json::sax_parse(text.begin(), text.end(), &forwarder);
}

}  // namespace fairdarts
