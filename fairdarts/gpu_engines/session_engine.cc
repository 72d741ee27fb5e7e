#include "fairdarts/gpu_engines/session_engine.h"

#include <utility>

#include "absl/memory/memory.h"
#include "fairdarts/base/status.h"
#include "fairdarts/runtime/cuda/driver.h"
#include "fairdarts/runtime/cuda/resources.h"

namespace fairdarts {
namespace {

class SessionEngine : public GpuEngine {
 public:
  static absl::StatusOr<std::unique_ptr<GpuEngine>> Create(
      std::string bytes, absl::string_view name, CudaOptions options,
      absl::Span<const float> images, int batch) {
    options.batch_sizes = {batch};
    FD_ASSIGN_OR_RETURN(const CudaDriver* driver, SystemCudaDriver());
    FD_ASSIGN_OR_RETURN(const CudaDevice device,
                        OpenCudaDevice(*driver, options.device));
    FD_ASSIGN_OR_RETURN(PrimaryContext context,
                        PrimaryContext::Retain(*driver, device.device));
    FD_ASSIGN_OR_RETURN(
        CudaSession session,
        CudaSession::LoadBytes(std::move(bytes), name, options));
    auto engine = absl::WrapUnique(
        new SessionEngine(*driver, std::move(context), std::move(session)));
    FD_RETURN_IF_ERROR(engine->SetUp(images, batch));
    return engine;
  }

  ~SessionEngine() override {
    // What is in the context goes while it is current.
    const CurrentContext current(driver_, context_.get());
    images_ = {};
    logits_ = {};
    stream_ = {};
  }

  absl::Status Run() override {
    return session_.RunAsync(Floats(images_), batch_, Floats(logits_),
                             stream_.get());
  }

  absl::Status Wait() override {
    const CurrentContext current(driver_, context_.get());
    return CudaCheck(driver_, driver_.cuStreamSynchronize(stream_.get()),
                     "waiting for a run");
  }

  absl::StatusOr<std::vector<float>> Logits() override {
    std::vector<float> logits(int64_t{batch_} * session_.classes());
    {
      const CurrentContext current(driver_, context_.get());
      FD_RETURN_IF_ERROR(
          CudaCheck(driver_,
                    driver_.cuMemcpyDtoHAsync(logits.data(), logits_.get(),
                                              logits.size() * sizeof(float),
                                              stream_.get()),
                    "copying logits"));
    }
    FD_RETURN_IF_ERROR(Wait());
    return logits;
  }

  int kernels() const override { return session_.launches(batch_); }

 private:
  SessionEngine(const CudaDriver& driver, PrimaryContext context,
                CudaSession session)
      : driver_(driver),
        context_(std::move(context)),
        session_(std::move(session)) {}

  static float* Floats(const CudaMemory& memory) {
    return reinterpret_cast<float*>(memory.get());
  }

  absl::Status SetUp(absl::Span<const float> images, int batch) {
    batch_ = batch;
    const int64_t bytes =
        batch * session_.image_floats() * static_cast<int64_t>(sizeof(float));
    {
      const CurrentContext current(driver_, context_.get());
      FD_ASSIGN_OR_RETURN(stream_, CreateStream(driver_));
      FD_ASSIGN_OR_RETURN(images_, AllocateOnDevice(driver_, bytes));
      FD_ASSIGN_OR_RETURN(
          logits_,
          AllocateOnDevice(driver_, int64_t{batch} * session_.classes() *
                                        static_cast<int64_t>(sizeof(float))));
      FD_RETURN_IF_ERROR(
          CudaCheck(driver_,
                    driver_.cuMemcpyHtoDAsync(images_.get(), images.data(),
                                              bytes, stream_.get()),
                    "copying images"));
    }
    return Wait();
  }

  const CudaDriver& driver_;
  PrimaryContext context_;
  CudaSession session_;
  int batch_ = 0;
  CudaOwnStream stream_;
  CudaMemory images_;
  CudaMemory logits_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GpuEngine>> MakeSessionEngine(
    std::string bytes, absl::string_view name, CudaOptions options,
    absl::Span<const float> images, int batch) {
  return SessionEngine::Create(std::move(bytes), name, std::move(options),
                               images, batch);
}

}  // namespace fairdarts
