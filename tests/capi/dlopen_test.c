/* usage: dlopen_test LIBRARY
 * The shared library is loaded and let go 1,000 times without growth. */

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

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

/* One cycle; 0 where something of it failed. */
static int cycle(const char* path) {
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  int32_t (*version)(void);
  int (*load)(const char*, void**);
  const char* (*last_error)(void);
  void* session = NULL;
  int good;
  if (library == NULL) {
    printf("%s\n", dlerror());
    return 0;
  }
  /* ISO C has no cast from an object to a function. */
  *(void**)&version = dlsym(library, "fairdarts_api_version");
  *(void**)&load = dlsym(library, "fairdarts_session_load");
  *(void**)&last_error = dlsym(library, "fairdarts_last_error");
  good = version != NULL && load != NULL && last_error != NULL &&
         version() == 1 && load("/nowhere", &session) != 0 && session == NULL &&
         strstr(last_error(), "/nowhere") != NULL;
  return dlclose(library) == 0 && good;
}

int main(int argc, char** argv) {
  long before = 0;
  long after;
  int i;
  if (argc != 2) return 2;
  for (i = 0; i < 1100; ++i) {
    /* The first ones pay for what stays, such as the C++ library's. */
    if (i == 100) before = resident();
    if (!cycle(argv[1])) {
      printf("cycle %d failed\n", i);
      return 1;
    }
  }
  after = resident();
  printf("%ld KiB before, %ld after\n", before, after);
  /* A kilobyte lost a cycle would show; pages come and go by the dozen. */
  return before > 0 && after - before < 512 ? 0 : 1;
}
