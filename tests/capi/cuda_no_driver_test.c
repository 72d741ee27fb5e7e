/* usage: cuda_no_driver_test LIBRARY
 * The shared library for CUDA is loaded and works on the CPU where there is no
 * driver, and says so in one sentence when it is asked for a GPU. */

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fairdarts/inference_cuda_c.h"
#include "tests/capi/expect.h"
#include "tests/capi/make_model.h"

static float images[2 * 3 * 16 * 16];
static float expected[2 * 3];

int main(int argc, char** argv) {
  char path[1024];
  fairdarts_status (*load)(const char*, fairdarts_session**);
  fairdarts_status (*run)(fairdarts_session*, const float*, size_t, float*,
                          size_t);
  void (*free_session)(fairdarts_session*);
  fairdarts_status (*load_cuda)(const char*, fairdarts_cuda_session**);
  fairdarts_status (*run_cuda)(fairdarts_cuda_session*, const float*, size_t,
                               float*, size_t);
  void (*free_cuda)(fairdarts_cuda_session*);
  const char* (*last_error)(void);
  fairdarts_session* session = NULL;
  fairdarts_cuda_session* cuda = (fairdarts_cuda_session*)path;
  fairdarts_status status;
  float logits[2 * 3];
  void* driver;
  void* library;
  if (argc != 2) return 2;
  snprintf(path, sizeof(path), "%s/model.safetensors", getenv("TEST_TMPDIR"));
  if (!make_model(path, images, 2, expected)) return 1;
  library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    printf("%s\n", dlerror());
    return 1;
  }
  *(void**)&load = dlsym(library, "fairdarts_session_load");
  *(void**)&run = dlsym(library, "fairdarts_session_run");
  *(void**)&free_session = dlsym(library, "fairdarts_session_free");
  *(void**)&load_cuda = dlsym(library, "fairdarts_cuda_session_load");
  *(void**)&run_cuda = dlsym(library, "fairdarts_cuda_session_run");
  *(void**)&free_cuda = dlsym(library, "fairdarts_cuda_session_free");
  *(void**)&last_error = dlsym(library, "fairdarts_last_error");
  if (load == NULL || run == NULL || free_session == NULL ||
      load_cuda == NULL || run_cuda == NULL || free_cuda == NULL ||
      last_error == NULL) {
    return 1;
  }

  EXPECT(load(path, &session) == FAIRDARTS_OK);
  EXPECT(run(session, images, 2, logits, 6) == FAIRDARTS_OK);
  EXPECT(memcmp(logits, expected, sizeof(logits)) == 0);
  free_session(session);

  status = load_cuda(path, &cuda);
  printf("%d: %s\n", (int)status, last_error());
  driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == NULL) {
    EXPECT(status == FAIRDARTS_ENVIRONMENT);
    EXPECT(cuda == NULL);
    EXPECT(strstr(last_error(), "no CUDA driver: libcuda.so.1") != NULL);
    EXPECT(strstr(last_error(),
                  "a driver for CUDA 13.0 or newer (release 580 or newer) is "
                  "needed") != NULL);
    EXPECT(strchr(last_error(), '\n') == NULL);
  } else if (status == FAIRDARTS_OK) {
    EXPECT(run_cuda(cuda, images, 2, logits, 6) == FAIRDARTS_OK);
    dlclose(driver);
  } else {
    EXPECT(status == FAIRDARTS_ENVIRONMENT);
    dlclose(driver);
  }
  free_cuda(cuda);
  EXPECT(dlclose(library) == 0);
  return failures == 0 ? 0 : 1;
}
