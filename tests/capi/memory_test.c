/* usage: memory_test LIBRARY
 * What the library takes beyond the weights of a published network: its own
 * pages and those of the C++ library, its maps, its bookkeeping. */

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fairdarts/inference_c.h"
#include "tests/capi/make_model.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

int main(void) {
  puts("not run: a sanitizer takes memory of its own");
  return 0;
}

#else

/* What the library promises, for one thread and any batch. */
static const long kMaxKiB = 6000;

enum { kBatch = 64 };
static float images[kBatch * 3 * 32 * 32];
static float logits[kBatch * 10];

/* Resident memory of this process in KiB. */
static long resident(void) {
  char line[256];
  long kib = -1;
  FILE* const status = fopen("/proc/self/status", "r");
  if (status == NULL) return -1;
  while (fgets(line, sizeof(line), status) != NULL) {
    if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
  }
  fclose(status);
  return kib;
}

int main(int argc, char** argv) {
  char path[1024];
  fairdarts_status (*load)(const char*, fairdarts_session**);
  fairdarts_status (*run)(fairdarts_session*, const float*, size_t, float*,
                          size_t);
  fairdarts_session* session = NULL;
  struct stat file;
  void* library;
  pid_t writer;
  int status = 1;
  long before;
  long loaded;
  size_t batch;
  if (argc != 2) return 2;
  snprintf(path, sizeof(path), "%s/model.safetensors", getenv("TEST_TMPDIR"));
  /* In another process: the memory of this one is to grow by the library. */
  writer = fork();
  if (writer == 0) _exit(make_published_model(path, "FairDARTS_b") ? 0 : 1);
  if (waitpid(writer, &status, 0) != writer || status != 0) return 1;
  if (stat(path, &file) != 0) return 1;
  memset(images, 0, sizeof(images));
  memset(logits, 0, sizeof(logits));

  before = resident();
  library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    printf("%s\n", dlerror());
    return 1;
  }
  /* ISO C has no cast from an object to a function. */
  *(void**)&load = dlsym(library, "fairdarts_session_load");
  *(void**)&run = dlsym(library, "fairdarts_session_run");
  if (load(path, &session) != FAIRDARTS_OK) return 1;
  loaded = resident();
  printf("loaded: %ld KiB beyond the weights\n",
         loaded - before - (long)(file.st_size / 1024));
  for (batch = 1; batch <= kBatch; batch *= kBatch) {
    long beyond;
    if (run(session, images, batch, logits, batch * 10) != FAIRDARTS_OK) {
      return 1;
    }
    beyond = resident() - before - (long)(file.st_size / 1024);
    printf("batch %lu: %ld KiB beyond the weights\n", (unsigned long)batch,
           beyond);
    if (beyond > kMaxKiB) return 1;
  }
  return before > 0 ? 0 : 1;
}

#endif
