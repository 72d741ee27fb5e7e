// A libcuda.so.1 with the made-up GPU of fake_driver.h: for tests of what loads
// the driver by its name.

#include <cuda.h>

#include "fairdarts/runtime/cuda/fake_driver.h"

namespace {

// It is there for good, as a driver is.
const fairdarts::CudaDriver& Fake() {
  static const auto* const fake = new fairdarts::FakeDriver();
  return fake->driver();
}

}  // namespace

extern "C" {

CUresult CUDAAPI cuCtxPopCurrent(CUcontext* context) {
  return Fake().cuCtxPopCurrent(context);
}

CUresult CUDAAPI cuCtxPushCurrent(CUcontext context) {
  return Fake().cuCtxPushCurrent(context);
}

CUresult CUDAAPI cuDeviceGet(CUdevice* device, int number) {
  return Fake().cuDeviceGet(device, number);
}

CUresult CUDAAPI cuDeviceGetAttribute(int* value, CUdevice_attribute attribute,
                                      CUdevice device) {
  return Fake().cuDeviceGetAttribute(value, attribute, device);
}

CUresult CUDAAPI cuDeviceGetCount(int* count) {
  return Fake().cuDeviceGetCount(count);
}

CUresult CUDAAPI cuDeviceGetName(char* name, int size, CUdevice device) {
  return Fake().cuDeviceGetName(name, size, device);
}

CUresult CUDAAPI cuDevicePrimaryCtxRelease(CUdevice device) {
  return Fake().cuDevicePrimaryCtxRelease(device);
}

CUresult CUDAAPI cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  return Fake().cuDevicePrimaryCtxRetain(context, device);
}

CUresult CUDAAPI cuDriverGetVersion(int* version) {
  return Fake().cuDriverGetVersion(version);
}

CUresult CUDAAPI cuEventCreate(CUevent* event, unsigned int flags) {
  return Fake().cuEventCreate(event, flags);
}

CUresult CUDAAPI cuEventDestroy(CUevent event) {
  return Fake().cuEventDestroy(event);
}

CUresult CUDAAPI cuEventRecord(CUevent event, CUstream stream) {
  return Fake().cuEventRecord(event, stream);
}

CUresult CUDAAPI cuEventSynchronize(CUevent event) {
  return Fake().cuEventSynchronize(event);
}

CUresult CUDAAPI cuFuncGetAttribute(int* value, CUfunction_attribute attribute,
                                    CUfunction function) {
  return Fake().cuFuncGetAttribute(value, attribute, function);
}

CUresult CUDAAPI cuFuncSetAttribute(CUfunction function,
                                    CUfunction_attribute attribute, int value) {
  return Fake().cuFuncSetAttribute(function, attribute, value);
}

CUresult CUDAAPI cuGetErrorName(CUresult error, const char** text) {
  return Fake().cuGetErrorName(error, text);
}

CUresult CUDAAPI cuGetErrorString(CUresult error, const char** text) {
  return Fake().cuGetErrorString(error, text);
}

CUresult CUDAAPI cuGraphDestroy(CUgraph graph) {
  return Fake().cuGraphDestroy(graph);
}

CUresult CUDAAPI cuGraphExecDestroy(CUgraphExec exec) {
  return Fake().cuGraphExecDestroy(exec);
}

CUresult CUDAAPI
cuGraphExecKernelNodeSetParams(CUgraphExec exec, CUgraphNode node,
                               const CUDA_KERNEL_NODE_PARAMS* parameters) {
  return Fake().cuGraphExecKernelNodeSetParams(exec, node, parameters);
}

CUresult CUDAAPI cuGraphInstantiate(CUgraphExec* exec, CUgraph graph,
                                    unsigned long long flags) {
  return Fake().cuGraphInstantiate(exec, graph, flags);
}

CUresult CUDAAPI cuGraphLaunch(CUgraphExec exec, CUstream stream) {
  return Fake().cuGraphLaunch(exec, stream);
}

CUresult CUDAAPI cuGraphUpload(CUgraphExec exec, CUstream stream) {
  return Fake().cuGraphUpload(exec, stream);
}

CUresult CUDAAPI cuInit(unsigned int flags) { return Fake().cuInit(flags); }

CUresult CUDAAPI cuLaunchKernelEx(const CUlaunchConfig* config,
                                  CUfunction function, void** parameters,
                                  void** extra) {
  return Fake().cuLaunchKernelEx(config, function, parameters, extra);
}

CUresult CUDAAPI cuMemAlloc(CUdeviceptr* memory, size_t bytes) {
  return Fake().cuMemAlloc(memory, bytes);
}

CUresult CUDAAPI cuMemAllocHost(void** memory, size_t bytes) {
  return Fake().cuMemAllocHost(memory, bytes);
}

CUresult CUDAAPI cuMemFree(CUdeviceptr memory) {
  return Fake().cuMemFree(memory);
}

CUresult CUDAAPI cuMemFreeHost(void* memory) {
  return Fake().cuMemFreeHost(memory);
}

CUresult CUDAAPI cuMemGetInfo(size_t* free, size_t* total) {
  return Fake().cuMemGetInfo(free, total);
}

CUresult CUDAAPI cuMemcpyDtoHAsync(void* to, CUdeviceptr from, size_t bytes,
                                   CUstream stream) {
  return Fake().cuMemcpyDtoHAsync(to, from, bytes, stream);
}

CUresult CUDAAPI cuMemcpyHtoDAsync(CUdeviceptr to, const void* from,
                                   size_t bytes, CUstream stream) {
  return Fake().cuMemcpyHtoDAsync(to, from, bytes, stream);
}

CUresult CUDAAPI cuModuleGetFunction(CUfunction* function, CUmodule module,
                                     const char* name) {
  return Fake().cuModuleGetFunction(function, module, name);
}

CUresult CUDAAPI cuModuleLoadData(CUmodule* module, const void* image) {
  return Fake().cuModuleLoadData(module, image);
}

CUresult CUDAAPI cuModuleUnload(CUmodule module) {
  return Fake().cuModuleUnload(module);
}

CUresult CUDAAPI cuPointerGetAttributes(unsigned int count,
                                        CUpointer_attribute* attributes,
                                        void** data, CUdeviceptr ptr) {
  return Fake().cuPointerGetAttributes(count, attributes, data, ptr);
}

CUresult CUDAAPI cuStreamBeginCapture(CUstream stream,
                                      CUstreamCaptureMode mode) {
  return Fake().cuStreamBeginCapture(stream, mode);
}

CUresult CUDAAPI cuStreamCreate(CUstream* stream, unsigned int flags) {
  return Fake().cuStreamCreate(stream, flags);
}

CUresult CUDAAPI cuStreamDestroy(CUstream stream) {
  return Fake().cuStreamDestroy(stream);
}

CUresult CUDAAPI cuStreamEndCapture(CUstream stream, CUgraph* graph) {
  return Fake().cuStreamEndCapture(stream, graph);
}

CUresult CUDAAPI cuStreamGetCaptureInfo(CUstream stream,
                                        CUstreamCaptureStatus* capture_status,
                                        cuuint64_t* id, CUgraph* graph,
                                        const CUgraphNode** dependencies,
                                        const CUgraphEdgeData** edge_data,
                                        size_t* count) {
  return Fake().cuStreamGetCaptureInfo(stream, capture_status, id, graph,
                                       dependencies, edge_data, count);
}

CUresult CUDAAPI cuStreamIsCapturing(CUstream stream,
                                     CUstreamCaptureStatus* capture_status) {
  return Fake().cuStreamIsCapturing(stream, capture_status);
}

CUresult CUDAAPI cuStreamSynchronize(CUstream stream) {
  return Fake().cuStreamSynchronize(stream);
}

CUresult CUDAAPI cuStreamWaitEvent(CUstream stream, CUevent event,
                                   unsigned int flags) {
  return Fake().cuStreamWaitEvent(stream, event, flags);
}

}  // extern "C"
