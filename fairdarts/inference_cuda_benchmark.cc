// Times inference on a GPU beside LibTorch and TensorRT:
// ./bazelw run --config=cuda //fairdarts:inference_cuda_benchmark -- --help

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "fairdarts/base/check.h"
#include "fairdarts/base/file.h"
#include "fairdarts/base/status.h"
#include "fairdarts/base/user_path.h"
#include "fairdarts/benchmark_flags.h"
#include "fairdarts/call_times.h"
#include "fairdarts/gpu_engines/gpu_engine.h"
#include "fairdarts/gpu_engines/gpu_peak.h"
#include "fairdarts/gpu_engines/libtorch_engine.h"
#include "fairdarts/gpu_engines/session_engine.h"
#include "fairdarts/gpu_engines/tensorrt_timing.h"
#include "fairdarts/runtime/cuda/cuda_session.h"
#include "fairdarts/runtime/cuda/driver.h"
#include "fairdarts/runtime/model_file.h"
#include "fairdarts/runtime/session.h"
#include "fairdarts/runtime/testing.h"
#include "genotypes/catalog.h"
#include "genotypes/cost.h"
#include "tests/golden/filler.h"

using Texts = std::vector<std::string>;

ABSL_FLAG(Texts, batch, Texts({"1", "8", "64", "256"}), "images a run, a list");
ABSL_FLAG(Texts, precision, Texts({"float16"}),
          "float16, bfloat16 or float32, a list");
ABSL_FLAG(Texts, engines,
          Texts({"ours", "ours_eager", "libtorch", "libtorch_graph",
                 "tensorrt"}),
          "what to time: a list of these; tensorrt needs --model, --onnx and "
          "trtexec");
ABSL_FLAG(Texts, genotypes, {},
          "genotypes of the catalog; none: FairDARTS_a to FairDARTS_g");
ABSL_FLAG(std::string, network, "cifar",
          "cifar (20 layers, C=36, 32x32) or imagenet (14 layers, C=48, "
          "224x224)");
ABSL_FLAG(std::string, model, "",
          "a model file, in place of genotypes and network");
ABSL_FLAG(std::string, onnx, "",
          "the same model for TensorRT (export_model --format=onnx)");
ABSL_FLAG(std::string, trtexec, "trtexec", "TensorRT's program");
ABSL_FLAG(int, device, 0, "the GPU");
ABSL_FLAG(double, seconds, 10, "how long to measure each network");
ABSL_FLAG(std::string, csv, "", "a file for the figures as well");

namespace fairdarts {
namespace {

// Runs one behind the other between two waits.
constexpr int kInARow = 20;
// Of one engine before the next one's turn.
constexpr double kBurst = 0.1;  // seconds
constexpr int kLeastRounds = 3;

struct Network {
  std::string name;
  std::string bytes;  // of its model file
};

struct Row {
  std::string network;
  int batch;
  Precision precision;
  std::string engine;
  int kernels = GpuEngine::kUnknown;
  double alone = 0;  // seconds: one run, and the wait for it; the median
  double row = 0;    // seconds: a run of several in a row; the best mean
  double share_of_peak = 0;  // of those; 0: not known
  double off = 0;  // the largest difference from float32 on the CPU, relative
                   // to the largest logit; below 0: not known
};

absl::string_view PrecisionName(Precision precision) {
  switch (precision) {
    case Precision::kFloat16:
      return "float16";
    case Precision::kBFloat16:
      return "bfloat16";
    case Precision::kFloat32:
      break;
  }
  return "float32";
}

absl::StatusOr<std::vector<Precision>> Precisions() {
  std::vector<Precision> precisions;
  for (const std::string& text : absl::GetFlag(FLAGS_precision)) {
    bool known = false;
    for (const Precision each :
         {Precision::kFloat32, Precision::kFloat16, Precision::kBFloat16}) {
      if (PrecisionName(each) != text) continue;
      precisions.push_back(each);
      known = true;
    }
    if (!known) {
      return UsageError(absl::StrCat("--precision: \"", text,
                                     "\" is none of float16, bfloat16 and "
                                     "float32"));
    }
  }
  return precisions;
}

absl::StatusOr<std::vector<std::string>> Engines() {
  std::vector<std::string> engines = absl::GetFlag(FLAGS_engines);
  for (const std::string& engine : engines) {
    if (engine != "ours" && engine != "ours_eager" && engine != "libtorch" &&
        engine != "libtorch_graph" && engine != "tensorrt") {
      return UsageError(absl::StrCat("--engines: \"", engine,
                                     "\" is none of ours, ours_eager, "
                                     "libtorch, libtorch_graph and tensorrt"));
    }
  }
  return engines;
}

absl::StatusOr<std::vector<Network>> Networks() {
  const std::string model = absl::GetFlag(FLAGS_model);
  if (!model.empty()) {
    if (!absl::GetFlag(FLAGS_genotypes).empty()) {
      return UsageError("--model says which network it is: no --genotypes");
    }
    FD_ASSIGN_OR_RETURN(std::string bytes, ReadFile(UserPath(model)));
    return std::vector<Network>{{model, std::move(bytes)}};
  }
  const std::string kind = absl::GetFlag(FLAGS_network);
  if (kind != "cifar" && kind != "imagenet") {
    return UsageError(absl::StrCat("--network: \"", kind,
                                   "\" is neither cifar nor imagenet"));
  }
  std::vector<Network> networks;
  for (const std::string& genotype :
       GenotypesOfFlag(absl::GetFlag(FLAGS_genotypes))) {
    FD_ASSIGN_OR_RETURN(const CatalogMatch match, FindInCatalog(genotype));
    const ModelDescription description = DescriptionOf(
        match.entry->genotype, kind == "imagenet" ? NetworkConfig::ImageNet()
                                                  : NetworkConfig::Cifar());
    const FilledTensors filled(description, 1);
    FD_ASSIGN_OR_RETURN(std::string bytes,
                        SerializeModelFile(description, filled.tensors()));
    networks.push_back({genotype, std::move(bytes)});
  }
  return networks;
}

// Operations a second that the GPU's clock and units allow.
absl::optional<double> Peak(Precision precision) {
  const absl::StatusOr<const CudaDriver*> driver = SystemCudaDriver();
  if (!driver.ok()) return absl::nullopt;
  const absl::StatusOr<CudaDevice> device =
      OpenCudaDevice(**driver, absl::GetFlag(FLAGS_device));
  if (!device.ok()) return absl::nullopt;
  const absl::optional<int> operations =
      OperationsAClock(device->major, device->minor, precision);
  int kilohertz = 0;
  if (!operations.has_value() || (*driver)->cuDeviceGetAttribute(
                                     &kilohertz, CU_DEVICE_ATTRIBUTE_CLOCK_RATE,
                                     device->device) != CUDA_SUCCESS) {
    return absl::nullopt;
  }
  return 1e3 * kilohertz * device->multiprocessors * *operations;
}

// What engines are made from and held against.
struct Work {
  const Network* network;
  const ModelFile* file;
  std::vector<float> images;
  std::vector<float> logits;  // of the CPU
  int batch;
  Precision precision;
};

absl::StatusOr<std::unique_ptr<GpuEngine>> MakeEngine(const std::string& name,
                                                      const Work& work) {
  if (name == "ours" || name == "ours_eager") {
    CudaOptions options;
    options.device = absl::GetFlag(FLAGS_device);
    options.precision = work.precision;
    options.graph = name == "ours";
    return MakeSessionEngine(work.network->bytes, work.network->name, options,
                             work.images, work.batch);
  }
  return MakeLibTorchEngine(
      *work.file, work.precision, name == "libtorch_graph",
      absl::GetFlag(FLAGS_device), work.images, work.batch);
}

double Off(const std::vector<float>& logits, const std::vector<float>& right) {
  float difference = 0;
  float largest = 0;
  for (size_t i = 0; i < right.size(); ++i) {
    difference = std::max(difference, std::abs(logits[i] - right[i]));
    largest = std::max(largest, std::abs(right[i]));
  }
  return difference / largest;
}

Row RowOf(const Work& work, const std::string& engine) {
  Row row;
  row.network = work.network->name;
  row.batch = work.batch;
  row.precision = work.precision;
  row.engine = engine;
  return row;
}

absl::StatusOr<Row> TensorRtRow(const Work& work) {
  const MapShape& image = work.file->graph().image;
  TensorRtCase which;
  which.program = absl::GetFlag(FLAGS_trtexec);
  which.onnx = UserPath(absl::GetFlag(FLAGS_onnx));
  which.input = "images";
  which.channels = image.channels;
  which.height = image.height;
  which.width = image.width;
  which.batch = work.batch;
  which.precision = work.precision;
  which.device = absl::GetFlag(FLAGS_device);
  FD_ASSIGN_OR_RETURN(const TensorRtTiming timing, TimeTensorRt(which));
  Row row = RowOf(work, "tensorrt");
  row.alone = 1e-3 * timing.median;
  row.row = 1e-3 * timing.min;
  row.off = -1;
  return row;
}

// Rounds over all engines, so that a clock that drifts treats them alike.
absl::Status TimeEngines(const Work& work,
                         const std::vector<std::string>& names, double seconds,
                         std::vector<Row>* rows) {
  std::vector<std::unique_ptr<GpuEngine>> engines;
  std::vector<Row> timed;
  for (const std::string& name : names) {
    if (name == "tensorrt") continue;
    FD_ASSIGN_OR_RETURN(std::unique_ptr<GpuEngine> engine,
                        MakeEngine(name, work));
    FD_RETURN_IF_ERROR(engine->Run());
    FD_ASSIGN_OR_RETURN(const std::vector<float> logits, engine->Logits());
    Row row = RowOf(work, name);
    row.kernels = engine->kernels();
    row.off = Off(logits, work.logits);
    timed.push_back(std::move(row));
    engines.push_back(std::move(engine));
  }
  std::vector<CallTimes> alone(engines.size());
  std::vector<CallTimes> in_a_row(engines.size());
  absl::Status failed;
  const auto run = [&](GpuEngine& engine, int runs) {
    for (int i = 0; i < runs && failed.ok(); ++i) failed = engine.Run();
    if (failed.ok()) failed = engine.Wait();
  };
  const auto begin = std::chrono::steady_clock::now();
  for (int round = 0;
       round < kLeastRounds ||
       std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
               .count() < seconds;
       ++round) {
    for (size_t i = 0; i < engines.size(); ++i) {
      alone[i].Burst(kBurst, 1, [&] { run(*engines[i], 1); });
      in_a_row[i].Burst(kBurst, 1, [&] { run(*engines[i], kInARow); });
      FD_RETURN_IF_ERROR(failed);
    }
  }
  FD_ASSIGN_OR_RETURN(const NetworkCost cost,
                      ComputeNetworkCost(work.file->description().genotype,
                                         work.file->description().network));
  const absl::optional<double> peak = Peak(work.precision);
  for (size_t i = 0; i < engines.size(); ++i) {
    timed[i].alone = alone[i].median();
    timed[i].row = in_a_row[i].best_burst() / kInARow;
  }
  for (const std::string& name : names) {
    if (name != "tensorrt" || absl::GetFlag(FLAGS_onnx).empty()) continue;
    absl::StatusOr<Row> row = TensorRtRow(work);
    if (row.ok()) {
      timed.push_back(*std::move(row));
    } else {
      std::fprintf(stderr, "%s\n", std::string(row.status().message()).c_str());
    }
  }
  for (Row& row : timed) {
    if (peak.has_value()) {
      row.share_of_peak = 2.0 * cost.total.macs * work.batch / row.row / *peak;
    }
    rows->push_back(std::move(row));
  }
  return absl::OkStatus();
}

void PrintRow(const Row& row) {
  std::printf("%-14s %5d %-8s %-14s %7s %10.4f %10.4f %11.0f %7s %9s\n",
              row.network.c_str(), row.batch,
              std::string(PrecisionName(row.precision)).c_str(),
              row.engine.c_str(),
              row.kernels < 0 ? "-" : absl::StrCat(row.kernels).c_str(),
              1e3 * row.alone, 1e3 * row.row, row.batch / row.row,
              row.share_of_peak > 0
                  ? absl::StrFormat("%.1f", 100 * row.share_of_peak).c_str()
                  : "-",
              row.off < 0 ? "-" : absl::StrFormat("%.1e", row.off).c_str());
}

std::string Csv(const std::vector<Row>& rows) {
  std::string csv =
      "network,batch,precision,engine,kernels,alone_ms,row_ms,images_a_second,"
      "share_of_peak,off\n";
  for (const Row& row : rows) {
    absl::StrAppendFormat(&csv, "%s,%d,%s,%s,%d,%.6g,%.6g,%.6g,%.4f,%.3g\n",
                          row.network, row.batch, PrecisionName(row.precision),
                          row.engine, row.kernels, 1e3 * row.alone,
                          1e3 * row.row, row.batch / row.row, row.share_of_peak,
                          row.off);
  }
  return csv;
}

absl::Status Main(int argc, char** argv) {
  FD_RETURN_IF_ERROR(ParseBenchmarkFlags(
      argc, argv,
      "Times inference on a GPU: networks with random weights, or a model "
      "file, by ours and by others in turns. Lists are separated by commas."));
  FD_ASSIGN_OR_RETURN(
      const std::vector<int> batches,
      NumbersOfFlag("batch", absl::GetFlag(FLAGS_batch), 65536, {1}));
  FD_ASSIGN_OR_RETURN(const std::vector<Precision> precisions, Precisions());
  FD_ASSIGN_OR_RETURN(const std::vector<std::string> engines, Engines());
  const double seconds = absl::GetFlag(FLAGS_seconds);
  if (!(seconds >= 0) || !std::isfinite(seconds)) {
    return UsageError("--seconds: a number from 0 on is needed");
  }
  if (!absl::GetFlag(FLAGS_onnx).empty() &&
      absl::GetFlag(FLAGS_model).empty()) {
    return UsageError("--onnx: is of a model file: name it by --model");
  }
  // Before anything is built, on a machine without one.
  FD_ASSIGN_OR_RETURN(const CudaDriver* driver, SystemCudaDriver());
  FD_ASSIGN_OR_RETURN(const CudaDevice device,
                      OpenCudaDevice(*driver, absl::GetFlag(FLAGS_device)));
  FD_ASSIGN_OR_RETURN(const std::vector<Network> networks, Networks());
  if (absl::GetFlag(FLAGS_onnx).empty() &&
      std::count(engines.begin(), engines.end(), "tensorrt") > 0) {
    std::fprintf(stderr,
                 "tensorrt: left out; it needs a model file and the same as "
                 "ONNX: --model and --onnx (export_model --format=onnx)\n");
  }
  std::printf(
      "%s, compute capability %d.%d, %d multiprocessors\n"
      "alone: one run and the wait for it, the median; in a row: a run of %d "
      "between two waits, the best mean; tensorrt: the GPU's time, median and "
      "minimum\n"
      "%-14s %5s %-8s %-14s %7s %10s %10s %11s %7s %9s\n",
      device.name.c_str(), device.major, device.minor, device.multiprocessors,
      kInARow, "network", "batch", "type", "engine", "kernels", "alone ms",
      "row ms", "images/s", "% peak", "off");
  std::vector<Row> rows;
  for (const Network& network : networks) {
    FD_ASSIGN_OR_RETURN(const ModelFile file,
                        ModelFile::Parse(network.bytes, network.name));
    FD_ASSIGN_OR_RETURN(Session session,
                        Session::LoadBytes(network.bytes, network.name));
    for (const int batch : batches) {
      Work work;
      work.network = &network;
      work.file = &file;
      work.batch = batch;
      work.images = GoldenImages("x", batch * session.image_floats(), 47);
      work.logits.resize(int64_t{batch} * session.classes());
      FD_RETURN_IF_ERROR(session.Run(work.images, absl::MakeSpan(work.logits)));
      for (const Precision precision : precisions) {
        work.precision = precision;
        const size_t before = rows.size();
        FD_RETURN_IF_ERROR(TimeEngines(work, engines, seconds, &rows));
        for (size_t i = before; i < rows.size(); ++i) PrintRow(rows[i]);
      }
    }
  }
  const std::string csv = absl::GetFlag(FLAGS_csv);
  if (csv.empty()) return absl::OkStatus();
  return WriteFileAtomic(UserPath(csv), Csv(rows));
}

}  // namespace
}  // namespace fairdarts

int main(int argc, char** argv) {
  return fairdarts::EndBenchmark(fairdarts::Main(argc, argv));
}
