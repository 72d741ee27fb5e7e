/* usage: cuda_capi_test DRIVER
 * The C interface for CUDA as a C program uses it, over a driver with a made-up
 * GPU. */

#include <cuda.h>
#include <dlfcn.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fairdarts/inference_cuda_c.h"
#include "tests/capi/expect.h"
#include "tests/capi/make_model.h"

/* Two sums in float32 in another order, see fairdarts/runtime/session_test. */
static const double kTolerance = 1e-5;

static float images[2 * 3 * 16 * 16];
static float expected[2 * 3];
static float logits[2 * 3];

static int near(const float* values, int count) {
  double largest = 0;
  int i;
  for (i = 0; i < count; ++i) largest = fmax(largest, fabs(expected[i]));
  for (i = 0; i < count; ++i) {
    if (!(fabs(values[i] - expected[i]) <= kTolerance * largest)) return 0;
  }
  return 1;
}

static void test_options(const char* path, const void* bytes, size_t size) {
  struct {
    fairdarts_cuda_options known;
    int64_t later;
  } newer;
  const int32_t sizes[2] = {2, 0};
  fairdarts_cuda_session* session = NULL;
  fairdarts_cuda_options options = FAIRDARTS_CUDA_OPTIONS_INIT;

  options.precision = FAIRDARTS_FLOAT16;
  options.batch_sizes = sizes;
  options.batch_size_count = 1;
  options.without_graph = 1;
  options.convolutions = FAIRDARTS_CONVOLUTIONS_OWN;
  EXPECT(fairdarts_cuda_session_load_bytes_with(bytes, size, &options,
                                                &session) == FAIRDARTS_OK);
  EXPECT(fairdarts_cuda_session_run(session, images, 2, logits, 6) ==
         FAIRDARTS_OK);
  EXPECT(!near(logits, 6)); /* half precision is half as precise */
  fairdarts_cuda_session_free(session);

  options.batch_size_count = 2;
  EXPECT_FAILS(fairdarts_cuda_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT, "batch_sizes: 0 is one of them");
  EXPECT(session == NULL);
  options.batch_size_count = 65;
  EXPECT_FAILS(fairdarts_cuda_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT,
               "batch_size_count: is 65; there are at most 64");
  options.batch_size_count = 1;
  options.batch_sizes = NULL;
  EXPECT_FAILS(fairdarts_cuda_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT,
               "batch_sizes: is NULL, but batch_size_count is 1");
  options.batch_size_count = 0;
  options.without_graph = 2;
  EXPECT_FAILS(fairdarts_cuda_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT, "without_graph: is 2");
  options.without_graph = 0;
  options.convolutions = 3;
  EXPECT_FAILS(fairdarts_cuda_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT, "convolutions: is 3");
  options.convolutions = FAIRDARTS_CONVOLUTIONS_AUTO;
  options.precision = 3;
  EXPECT_FAILS(fairdarts_cuda_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT, "precision: is 3");
  options.precision = FAIRDARTS_FLOAT32;
  options.device = 1;
  EXPECT_FAILS(fairdarts_cuda_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT,
               "device: is 1; there is GPU 0 alone");
  options.device = 0;
  options.size = 0;
  EXPECT_FAILS(fairdarts_cuda_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT,
               "size is 0; it has to be sizeof(fairdarts_cuda_options)");
  options.size = offsetof(fairdarts_cuda_options, stream) + 1;
  EXPECT_FAILS(fairdarts_cuda_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT, "size is ");

  /* Of programs built with an earlier and a later release. */
  options.size = offsetof(fairdarts_cuda_options, stream);
  EXPECT(fairdarts_cuda_session_load_with(path, &options, &session) ==
         FAIRDARTS_OK);
  fairdarts_cuda_session_free(session);
  memset(&newer, 0, sizeof(newer));
  newer.known.size = sizeof(newer);
  EXPECT(fairdarts_cuda_session_load_with(path, &newer.known, &session) ==
         FAIRDARTS_OK);
  fairdarts_cuda_session_free(session);
  newer.later = 1;
  EXPECT_FAILS(fairdarts_cuda_session_load_with(path, &newer.known, &session),
               FAIRDARTS_INVALID_ARGUMENT, "is set; this library, release");
}

static void test_arguments(const char* path, const void* bytes, size_t size,
                           fairdarts_cuda_session* witness) {
  fairdarts_cuda_session* session = NULL;
  const fairdarts_status wrong = FAIRDARTS_INVALID_ARGUMENT;
  const char* name = NULL;
  int32_t shape[3];
  int32_t number = 0;
  int64_t amount = 0;
  float values[6];
  EXPECT_FAILS(fairdarts_cuda_session_load(NULL, &session), wrong, "path");
  EXPECT_FAILS(fairdarts_cuda_session_load(path, NULL), wrong, "session");
  EXPECT_FAILS(fairdarts_cuda_session_load_bytes(NULL, size, &session), wrong,
               "bytes");
  EXPECT_FAILS(fairdarts_cuda_session_load_bytes(bytes, size, NULL), wrong,
               "session");
  EXPECT_FAILS(fairdarts_cuda_session_load_bytes(bytes, SIZE_MAX, &session),
               wrong, "size: is ");
  EXPECT_FAILS(fairdarts_cuda_session_load_bytes(bytes, size / 2, &session),
               FAIRDARTS_BAD_MODEL, "model in memory: ");
  EXPECT_FAILS(fairdarts_cuda_session_load("/nowhere", &session),
               FAIRDARTS_BAD_MODEL, "/nowhere");
  EXPECT_FAILS(fairdarts_cuda_session_image_shape(NULL, shape), wrong,
               "session");
  EXPECT_FAILS(fairdarts_cuda_session_image_shape(witness, NULL), wrong,
               "shape");
  EXPECT_FAILS(fairdarts_cuda_session_classes(NULL, &number), wrong, "session");
  EXPECT_FAILS(fairdarts_cuda_session_classes(witness, NULL), wrong, "classes");
  EXPECT_FAILS(fairdarts_cuda_session_class_name(NULL, 0, &name), wrong,
               "session");
  EXPECT_FAILS(fairdarts_cuda_session_class_name(witness, 0, NULL), wrong,
               "name");
  EXPECT_FAILS(fairdarts_cuda_session_class_name(witness, 3, &name), wrong,
               "index: is 3 of 3 classes");
  EXPECT_FAILS(fairdarts_cuda_session_normalization(NULL, values, values, 3),
               wrong, "session");
  EXPECT_FAILS(fairdarts_cuda_session_normalization(witness, NULL, values, 3),
               wrong, "mean");
  EXPECT_FAILS(fairdarts_cuda_session_normalization(witness, values, NULL, 3),
               wrong, "deviation");
  EXPECT_FAILS(fairdarts_cuda_session_normalization(witness, values, values, 2),
               wrong, "channels: is 2");
  EXPECT_FAILS(fairdarts_cuda_session_device_name(NULL, &name), wrong,
               "session");
  EXPECT_FAILS(fairdarts_cuda_session_device_name(witness, NULL), wrong,
               "name");
  EXPECT_FAILS(fairdarts_cuda_session_uses_cudnn(NULL, &number), wrong,
               "session");
  EXPECT_FAILS(fairdarts_cuda_session_uses_cudnn(witness, NULL), wrong, "uses");
  EXPECT_FAILS(fairdarts_cuda_session_device_bytes(NULL, &amount), wrong,
               "session");
  EXPECT_FAILS(fairdarts_cuda_session_device_bytes(witness, NULL), wrong,
               "bytes");
  EXPECT_FAILS(fairdarts_cuda_session_run(NULL, images, 1, values, 3), wrong,
               "session");
  EXPECT_FAILS(fairdarts_cuda_session_run(witness, NULL, 1, values, 3), wrong,
               "images");
  EXPECT_FAILS(fairdarts_cuda_session_run(witness, images, 1, NULL, 3), wrong,
               "logits");
  EXPECT_FAILS(fairdarts_cuda_session_run(witness, images, 1, values, 4), wrong,
               "logits: room for 4");
  EXPECT_FAILS(fairdarts_cuda_session_run(witness, images, 0, values, 0), wrong,
               "batch: is 0");
  EXPECT_FAILS(fairdarts_cuda_session_run(witness, images, SIZE_MAX, values, 3),
               wrong, "batch: is ");
  EXPECT_FAILS(fairdarts_cuda_session_run_async(NULL, images, 1, values, NULL),
               wrong, "session");
  EXPECT_FAILS(fairdarts_cuda_session_run_async(witness, NULL, 1, values, NULL),
               wrong, "images");
  EXPECT_FAILS(fairdarts_cuda_session_run_async(witness, images, 1, NULL, NULL),
               wrong, "logits");
  EXPECT_FAILS(
      fairdarts_cuda_session_run_async(witness, images, 0, values, NULL), wrong,
      "batch: is 0");
  EXPECT_FAILS(
      fairdarts_cuda_session_run_async(witness, images, 1, values, NULL), wrong,
      "images: is memory that the GPU does not reach");
}

/* In pinned memory and on a stream of the program's. */
static void test_async(void* driver, fairdarts_cuda_session* session) {
  CUresult (*retain)(CUcontext*, CUdevice);
  CUresult (*push)(CUcontext);
  CUresult (*allocate)(void**, size_t);
  CUresult (*create_stream)(CUstream*, unsigned int);
  CUresult (*synchronize)(CUstream);
  CUcontext context = NULL;
  CUstream stream = NULL;
  void* in = NULL;
  void* out = NULL;
  *(void**)&retain = dlsym(driver, "cuDevicePrimaryCtxRetain");
  *(void**)&push = dlsym(driver, "cuCtxPushCurrent_v2");
  *(void**)&allocate = dlsym(driver, "cuMemAllocHost_v2");
  *(void**)&create_stream = dlsym(driver, "cuStreamCreate");
  *(void**)&synchronize = dlsym(driver, "cuStreamSynchronize");
  EXPECT(retain(&context, 0) == CUDA_SUCCESS);
  EXPECT(push(context) == CUDA_SUCCESS);
  EXPECT(allocate(&in, sizeof(images)) == CUDA_SUCCESS);
  EXPECT(allocate(&out, sizeof(logits)) == CUDA_SUCCESS);
  EXPECT(create_stream(&stream, 0) == CUDA_SUCCESS);
  memcpy(in, images, sizeof(images));
  EXPECT(fairdarts_cuda_session_run_async(session, in, 2, out, stream) ==
         FAIRDARTS_OK);
  EXPECT(synchronize(stream) == CUDA_SUCCESS);
  EXPECT(near(out, 6));
}

int main(int argc, char** argv) {
  static char bytes[1 << 20];
  char path[1024];
  fairdarts_cuda_session* session = NULL;
  const char* name = NULL;
  int32_t shape[3] = {0, 0, 0};
  int32_t classes = 0;
  int32_t uses = 1;
  int64_t device_bytes = 0;
  float mean[3];
  float deviation[3];
  void* driver;
  FILE* file;
  size_t size;
  if (argc != 2) return 2;
  /* What is loaded under this name already is what is found by it. */
  driver = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (driver == NULL) {
    printf("%s\n", dlerror());
    return 1;
  }
  snprintf(path, sizeof(path), "%s/model.safetensors", getenv("TEST_TMPDIR"));
  if (!make_model(path, images, 2, expected)) return 1;
  file = fopen(path, "rb");
  size = fread(bytes, 1, sizeof(bytes), file);
  fclose(file);

  EXPECT(fairdarts_cuda_session_load(path, &session) == FAIRDARTS_OK);
  if (session == NULL) {
    printf("%s\n", fairdarts_last_error());
    return 1;
  }
  EXPECT(fairdarts_cuda_session_image_shape(session, shape) == FAIRDARTS_OK);
  EXPECT(shape[0] == 3 && shape[1] == 16 && shape[2] == 16);
  EXPECT(fairdarts_cuda_session_classes(session, &classes) == FAIRDARTS_OK);
  EXPECT(classes == 3);
  EXPECT(fairdarts_cuda_session_class_name(session, 1, &name) == FAIRDARTS_OK);
  EXPECT(strcmp(name, "bird") == 0);
  EXPECT(fairdarts_cuda_session_normalization(session, mean, deviation, 3) ==
         FAIRDARTS_OK);
  EXPECT(mean[2] == 0.5f && deviation[2] == 0.25f);
  EXPECT(fairdarts_cuda_session_device_name(session, &name) == FAIRDARTS_OK);
  EXPECT(strcmp(name, "Fake GPU") == 0);
  EXPECT(fairdarts_cuda_session_device_bytes(session, &device_bytes) ==
         FAIRDARTS_OK);
  EXPECT(device_bytes > 0);
  /* cuDNN finds no GPU by a made-up driver. */
  EXPECT(fairdarts_cuda_session_uses_cudnn(session, &uses) == FAIRDARTS_OK);
  EXPECT(uses == 0);
  EXPECT(fairdarts_cuda_session_run(session, images, 2, logits, 6) ==
         FAIRDARTS_OK);
  EXPECT(near(logits, 6));

  test_options(path, bytes, size);
  test_async(driver, session);
  test_arguments(path, bytes, size, session);
  EXPECT(fairdarts_cuda_session_run(session, images, 2, logits, 6) ==
         FAIRDARTS_OK);
  EXPECT(near(logits, 6));
  fairdarts_cuda_session_free(session);
  fairdarts_cuda_session_free(NULL);
  return failures == 0 ? 0 : 1;
}
