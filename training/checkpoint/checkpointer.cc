#include "training/checkpoint/checkpointer.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "fairdarts/base/status.h"

namespace fairdarts {

Checkpointer::Checkpointer(CheckpointFolder folder, StopSignals& signals,
                           RunLog& log,
                           std::function<absl::StatusOr<Snapshot>()> take,
                           const CheckpointerOptions& options)
    : folder_(std::move(folder)),
      signals_(signals),
      log_(log),
      take_(std::move(take)),
      options_(options),
      guard_(signals, options.guard) {}

absl::Status Checkpointer::Save(int64_t steps_done, bool is_best) {
  FD_ASSIGN_OR_RETURN(const Snapshot snapshot, take_());
  return folder_.Save(snapshot, steps_done, is_best);
}

absl::Status Checkpointer::Guard(int64_t steps_done, absl::string_view where,
                                 const std::function<absl::Status()>& work) {
  switch (signals_.Poll()) {
    case StopRequest::kNone:
      break;
    case StopRequest::kCheckpoint:
      FD_RETURN_IF_ERROR(Save(steps_done));
      log_.Info(absl::StrCat("checkpoint written ", where));
      break;
    case StopRequest::kStop:
      FD_RETURN_IF_ERROR(Save(steps_done));
      return signals_.StoppedStatus(where);
  }
  if (options_.every_steps > 0 && steps_done > last_due_ &&
      steps_done % options_.every_steps == 0) {
    last_due_ = steps_done;
    FD_RETURN_IF_ERROR(Save(steps_done));
  }
  std::function<absl::Status()> save;
  if (guard_.WantsSave()) {
    // Taken now: the guard's thread must not look at what the step changes.
    FD_ASSIGN_OR_RETURN(Snapshot taken, take_());
    auto snapshot = std::make_shared<const Snapshot>(std::move(taken));
    save = [this, snapshot, steps_done] {
      return folder_.Save(*snapshot, steps_done);
    };
  }
  guard_.Enter(std::move(save));
  const absl::Status status = work();
  guard_.Leave();
  return status;
}

}  // namespace fairdarts
