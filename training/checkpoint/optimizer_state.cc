#include "training/checkpoint/optimizer_state.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/status.h"

namespace fairdarts {
namespace {

using ::torch::optim::AdamParamState;
using ::torch::optim::Optimizer;
using ::torch::optim::OptimizerParamState;
using ::torch::optim::SGDParamState;

using States = std::map<void*, std::unique_ptr<OptimizerParamState>>;

constexpr char kNoState[] = "none";

// An entry of a parameter's state.
class Entry {
 public:
  Entry(absl::string_view prefix, absl::string_view parameter)
      : stem_(absl::StrCat(prefix, "/", parameter, "/")) {}

  std::string operator()(absl::string_view field) const {
    return absl::StrCat(stem_, field);
  }

 private:
  std::string stem_;
};

// Calls visit(name, parameter) for each in order.
template <typename Visit>
void ForEachParameter(const Optimizer& optimizer,
                      const std::vector<std::string>& names,
                      const Visit& visit) {
  size_t i = 0;
  for (const auto& group : optimizer.param_groups()) {
    for (const torch::Tensor& parameter : group.params()) {
      FD_CHECK_LT(i, names.size());
      visit(names[i++], parameter);
    }
  }
  FD_CHECK_EQ(i, names.size());
}

// Calls put(entry, state) for the parameters that have been stepped.
template <typename State, typename Put>
void PutStates(absl::string_view prefix, const Optimizer& optimizer,
               const std::vector<std::string>& names, Snapshot& snapshot,
               const Put& put) {
  ForEachParameter(
      optimizer, names,
      [&](const std::string& name, const torch::Tensor& parameter) {
        const Entry entry(prefix, name);
        const auto found =
            optimizer.state().find(parameter.unsafeGetTensorImpl());
        if (found == optimizer.state().end()) {
          snapshot.PutText(entry("state"), kNoState);
        } else {
          put(entry, static_cast<const State&>(*found->second));
        }
      });
}

// A new tensor like the parameter, to be filled by the snapshot's `name`.
torch::Tensor ToFill(const std::string& name, const torch::Tensor& parameter,
                     std::vector<Snapshot::Copy>& copies) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor tensor = torch::empty_like(parameter);
  copies.push_back({name, tensor});
  return tensor;
}

// Calls make(entry, parameter, copies), which gives the parameter's state with
// tensors to fill, where the snapshot has one.
template <typename Make>
absl::Status LoadStates(const Snapshot& snapshot, absl::string_view prefix,
                        const std::vector<std::string>& names,
                        Optimizer& optimizer, const Make& make) {
  std::vector<Snapshot::Copy> copies;
  States states;
  std::set<std::string> texts;
  absl::Status status;
  ForEachParameter(
      optimizer, names,
      [&](const std::string& name, const torch::Tensor& parameter) {
        if (!status.ok()) return;
        const Entry entry(prefix, name);
        if (snapshot.HasText(entry("state"))) {
          texts.insert(entry("state"));
          const auto text = snapshot.Text(entry("state"));
          if (*text != kNoState) {
            status = snapshot.Error(absl::StrCat(
                entry("state"), " '", absl::CHexEscape(text->substr(0, 60)),
                "': must be '", kNoState, "'"));
          }
          return;
        }
        auto made = make(entry, parameter, copies, texts);
        if (!made.ok()) {
          status = made.status();
          return;
        }
        states[parameter.unsafeGetTensorImpl()] = *std::move(made);
      });
  FD_RETURN_IF_ERROR(status);
  const std::string start = absl::StrCat(prefix, "/");
  for (auto it = snapshot.texts().lower_bound(start);
       it != snapshot.texts().end() && absl::StartsWith(it->first, start);
       ++it) {
    if (texts.count(it->first) == 0) {
      return snapshot.Error(absl::StrCat("text \"", absl::CHexEscape(it->first),
                                         "\" does not belong there"));
    }
  }
  FD_RETURN_IF_ERROR(snapshot.CopyAll(start, copies));
  optimizer.state().clear();
  for (auto& [key, state] : states) {
    optimizer.state()[key] = std::move(state);
  }
  return absl::OkStatus();
}

}  // namespace

void PutSgd(absl::string_view prefix, const torch::optim::SGD& optimizer,
            const std::vector<std::string>& names, Snapshot& snapshot) {
  PutStates<SGDParamState>(prefix, optimizer, names, snapshot,
                           [&](const Entry& entry, const SGDParamState& state) {
                             snapshot.PutTensor(entry("momentum_buffer"),
                                                state.momentum_buffer());
                           });
}

void PutAdam(absl::string_view prefix, const torch::optim::Adam& optimizer,
             const std::vector<std::string>& names, Snapshot& snapshot) {
  PutStates<AdamParamState>(
      prefix, optimizer, names, snapshot,
      [&](const Entry& entry, const AdamParamState& state) {
        snapshot.PutInteger(entry("step"), state.step());
        snapshot.PutTensor(entry("exp_avg"), state.exp_avg());
        snapshot.PutTensor(entry("exp_avg_sq"), state.exp_avg_sq());
        if (state.max_exp_avg_sq().defined()) {
          snapshot.PutTensor(entry("max_exp_avg_sq"), state.max_exp_avg_sq());
        }
      });
}

absl::Status LoadSgd(const Snapshot& snapshot, absl::string_view prefix,
                     const std::vector<std::string>& names,
                     torch::optim::SGD& optimizer) {
  return LoadStates(
      snapshot, prefix, names, optimizer,
      [](const Entry& entry, const torch::Tensor& parameter,
         std::vector<Snapshot::Copy>& copies, std::set<std::string>&)
          -> absl::StatusOr<std::unique_ptr<OptimizerParamState>> {
        auto state = std::make_unique<SGDParamState>();
        state->momentum_buffer(
            ToFill(entry("momentum_buffer"), parameter, copies));
        return state;
      });
}

absl::Status LoadAdam(const Snapshot& snapshot, absl::string_view prefix,
                      const std::vector<std::string>& names,
                      torch::optim::Adam& optimizer) {
  return LoadStates(
      snapshot, prefix, names, optimizer,
      [&](const Entry& entry, const torch::Tensor& parameter,
          std::vector<Snapshot::Copy>& copies, std::set<std::string>& texts)
          -> absl::StatusOr<std::unique_ptr<OptimizerParamState>> {
        auto state = std::make_unique<AdamParamState>();
        FD_ASSIGN_OR_RETURN(const int64_t step,
                            snapshot.Integer(entry("step")));
        if (step < 1) {
          return snapshot.Error(
              absl::StrCat(entry("step"), " ", step, ": must be at least 1"));
        }
        texts.insert(entry("step"));
        state->step(step);
        state->exp_avg(ToFill(entry("exp_avg"), parameter, copies));
        state->exp_avg_sq(ToFill(entry("exp_avg_sq"), parameter, copies));
        if (snapshot.HasTensor(entry("max_exp_avg_sq"))) {
          state->max_exp_avg_sq(
              ToFill(entry("max_exp_avg_sq"), parameter, copies));
        }
        return state;
      });
}

std::vector<std::string> ParameterNames(const torch::nn::Module& module) {
  return module.named_parameters().keys();
}

}  // namespace fairdarts
