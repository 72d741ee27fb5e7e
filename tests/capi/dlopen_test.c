/* usage: dlopen_test LIBRARY
 * The shared library is loaded and let go 1,000 times, with a session of two
 * threads in between, without growth of memory or open files. */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fairdarts/inference_c.h"
#include "tests/capi/make_model.h"

static float images[2 * 3 * 16 * 16];
static float expected[2 * 3];

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

static int descriptors(void) {
  int count = 0;
  int i;
  for (i = 0; i < 256; ++i) count += fcntl(i, F_GETFD) >= 0;
  return count;
}

/* One cycle; 0 where something of it failed. */
static int cycle(const char* path, const char* model) {
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  int32_t (*version)(void);
  fairdarts_status (*load)(const char*, const fairdarts_options*,
                           fairdarts_session**);
  fairdarts_status (*run)(fairdarts_session*, const float*, size_t, float*,
                          size_t);
  void (*free_session)(fairdarts_session*);
  const char* (*last_error)(void);
  fairdarts_options options = FAIRDARTS_OPTIONS_INIT;
  fairdarts_session* session = NULL;
  float logits[2 * 3];
  int good;
  if (library == NULL) {
    printf("%s\n", dlerror());
    return 0;
  }
  /* ISO C has no cast from an object to a function. */
  *(void**)&version = dlsym(library, "fairdarts_api_version");
  *(void**)&load = dlsym(library, "fairdarts_session_load_with");
  *(void**)&run = dlsym(library, "fairdarts_session_run");
  *(void**)&free_session = dlsym(library, "fairdarts_session_free");
  *(void**)&last_error = dlsym(library, "fairdarts_last_error");
  options.threads = 2;
  good = version != NULL && load != NULL && run != NULL &&
         free_session != NULL && last_error != NULL && version() == 1 &&
         load("/nowhere", NULL, &session) != 0 && session == NULL &&
         strstr(last_error(), "/nowhere") != NULL &&
         load(model, &options, &session) == FAIRDARTS_OK &&
         run(session, images, 2, logits, 6) == FAIRDARTS_OK &&
         memcmp(logits, expected, sizeof(logits)) == 0;
  if (session != NULL) free_session(session);
  return dlclose(library) == 0 && good;
}

int main(int argc, char** argv) {
  char model[1024];
  long before = 0;
  long after;
  int files_before = 0;
  int i;
  if (argc != 2) return 2;
  snprintf(model, sizeof(model), "%s/model.safetensors", getenv("TEST_TMPDIR"));
  if (!make_model(model, images, 2, expected)) return 1;
  for (i = 0; i < 1100; ++i) {
    /* The first ones pay for what stays, such as the C++ library's. */
    if (i == 100) {
      before = resident();
      files_before = descriptors();
    }
    if (!cycle(argv[1], model)) {
      printf("cycle %d failed\n", i);
      return 1;
    }
  }
  after = resident();
  printf("%ld KiB and %d files before, %ld and %d after\n", before,
         files_before, after, descriptors());
  if (descriptors() != files_before) return 1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 0; /* a sanitizer keeps what was freed */
#else
  /* A kilobyte lost a cycle would show; pages come and go by the dozen. */
  return before > 0 && after - before < 512 ? 0 : 1;
#endif
}
