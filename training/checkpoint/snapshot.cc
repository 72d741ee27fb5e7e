#include "training/checkpoint/snapshot.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"
#include "training/checkpoint/dtype.h"
#include "training/checkpoint/envelope.h"

namespace fairdarts {
namespace {

constexpr size_t kNamesShown = 3;
constexpr size_t kTextShown = 60;

// "float32 [16, 3, 3, 3]", with the format's names of the types.
std::string Described(const torch::Tensor& tensor) {
  const absl::optional<DType> dtype = DTypeOf(tensor.scalar_type());
  return absl::StrCat(
      dtype.has_value() ? DTypeName(*dtype) : "a type of its own", " [",
      absl::StrJoin(tensor.sizes().begin(), tensor.sizes().end(), ", "), "]");
}

bool Fits(const torch::Tensor& tensor, const torch::Tensor& destination) {
  return tensor.scalar_type() == destination.scalar_type() &&
         tensor.sizes() == destination.sizes();
}

std::string Misfit(absl::string_view name, const torch::Tensor& tensor,
                   const torch::Tensor& destination) {
  return absl::StrCat("tensor \"", absl::CHexEscape(name), "\" is ",
                      Described(tensor), " in place of ",
                      Described(destination));
}

// "a, b, c and 4 more".
std::string Listed(const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kNamesShown);
  std::string text = absl::CHexEscape(
      absl::StrJoin(names.begin(), names.begin() + shown, ", "));
  if (names.size() > shown) {
    absl::StrAppend(&text, " and ", names.size() - shown, " more");
  }
  return text;
}

void Overwrite(const torch::Tensor& tensor, const torch::Tensor& destination) {
  const torch::NoGradGuard no_grad;
  destination.copy_(tensor);
}

std::string Joined(absl::string_view prefix, absl::string_view key) {
  return absl::StrCat(prefix, "/", key);
}

}  // namespace

void Snapshot::PutTensor(absl::string_view name, const torch::Tensor& tensor) {
  FD_CHECK(tensor.defined()) << name;
  FD_CHECK(DTypeOf(tensor.scalar_type()).has_value()) << name;
  const torch::Tensor source = tensor.detach();
  const bool inserted =
      tensors_
          .emplace(std::string(name),
                   source.is_cpu()
                       ? source.clone(torch::MemoryFormat::Contiguous)
                       : source.to(torch::kCPU).contiguous())
          .second;
  FD_CHECK(inserted) << name << " is there already";
}

void Snapshot::PutModule(absl::string_view prefix,
                         const torch::nn::Module& module) {
  for (const auto& item : module.named_parameters()) {
    PutTensor(Joined(prefix, item.key()), item.value());
  }
  for (const auto& item : module.named_buffers()) {
    PutTensor(Joined(prefix, item.key()), item.value());
  }
}

void Snapshot::PutText(absl::string_view name, absl::string_view text) {
  FD_CHECK(!absl::StartsWith(name, kEnvelopePrefix)) << name;
  const bool inserted = texts_.emplace(name, text).second;
  FD_CHECK(inserted) << name << " is there already";
}

void Snapshot::PutInteger(absl::string_view name, int64_t value) {
  PutText(name, absl::StrCat(value));
}

void Snapshot::PutReal(absl::string_view name, double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  PutText(name, absl::string_view(buffer, end - buffer));
}

bool Snapshot::HasTensor(absl::string_view name) const {
  return tensors_.count(std::string(name)) != 0;
}

bool Snapshot::HasText(absl::string_view name) const {
  return texts_.count(std::string(name)) != 0;
}

absl::StatusOr<torch::Tensor> Snapshot::Tensor(absl::string_view name) const {
  const auto found = tensors_.find(std::string(name));
  if (found == tensors_.end()) {
    return Error(
        absl::StrCat("has no tensor \"", absl::CHexEscape(name), "\""));
  }
  return found->second;
}

absl::Status Snapshot::CopyTensorTo(absl::string_view name,
                                    torch::Tensor& destination) const {
  FD_ASSIGN_OR_RETURN(const torch::Tensor tensor, Tensor(name));
  if (!Fits(tensor, destination)) {
    return Error(Misfit(name, tensor, destination));
  }
  Overwrite(tensor, destination);
  return absl::OkStatus();
}

absl::Status Snapshot::LoadModule(absl::string_view prefix,
                                  torch::nn::Module& module) const {
  std::vector<Copy> copies;
  for (const auto& item : module.named_parameters()) {
    copies.push_back({Joined(prefix, item.key()), item.value()});
  }
  for (const auto& item : module.named_buffers()) {
    copies.push_back({Joined(prefix, item.key()), item.value()});
  }
  return CopyAll(Joined(prefix, ""), copies);
}

absl::Status Snapshot::CopyAll(absl::string_view prefix,
                               const std::vector<Copy>& copies) const {
  std::vector<std::string> missing;
  std::string misfit;
  std::set<std::string> wanted;
  for (const Copy& copy : copies) {
    wanted.insert(copy.name);
    const auto found = tensors_.find(copy.name);
    if (found == tensors_.end()) {
      missing.push_back(copy.name);
    } else if (misfit.empty() && !Fits(found->second, copy.destination)) {
      misfit = Misfit(copy.name, found->second, copy.destination);
    }
  }
  std::vector<std::string> surplus;
  for (auto it = tensors_.lower_bound(std::string(prefix));
       it != tensors_.end() && absl::StartsWith(it->first, prefix); ++it) {
    if (wanted.count(it->first) == 0) surplus.push_back(it->first);
  }
  std::vector<std::string> faults;
  if (!missing.empty()) {
    faults.push_back(absl::StrCat("lacks the tensors ", Listed(missing)));
  }
  if (!surplus.empty()) {
    faults.push_back(absl::StrCat("has tensors that do not belong there: ",
                                  Listed(surplus)));
  }
  if (!misfit.empty()) faults.push_back(misfit);
  if (!faults.empty()) return Error(absl::StrJoin(faults, "; "));
  for (const Copy& copy : copies) {
    Overwrite(tensors_.at(copy.name), copy.destination);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Snapshot::Text(absl::string_view name) const {
  const auto found = texts_.find(std::string(name));
  if (found == texts_.end()) {
    return Error(absl::StrCat("has no text \"", absl::CHexEscape(name), "\""));
  }
  return found->second;
}

absl::StatusOr<int64_t> Snapshot::Integer(absl::string_view name) const {
  FD_ASSIGN_OR_RETURN(const std::string text, Text(name));
  int64_t value = 0;
  const auto end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    return Error(absl::StrCat(name, " '",
                              absl::CHexEscape(text.substr(0, kTextShown)),
                              "' is not a whole number of 64 bits"));
  }
  return value;
}

absl::StatusOr<double> Snapshot::Real(absl::string_view name) const {
  FD_ASSIGN_OR_RETURN(const std::string text, Text(name));
  double value = 0;
  const auto end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    return Error(absl::StrCat(name, " '",
                              absl::CHexEscape(text.substr(0, kTextShown)),
                              "' is not a number"));
  }
  return value;
}

absl::Status Snapshot::Error(absl::string_view message) const {
  return ModelFileError(source_.empty() ? std::string(message)
                                        : absl::StrCat(source_, ": ", message));
}

}  // namespace fairdarts
