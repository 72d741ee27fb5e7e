/* usage: allocation_failure_test LIBRARY
 * Whatever the library asks of the system while it loads a model fails once,
 * one thing after the other, and then everything from one thing on: memory of
 * the heap, mappings, threads, files. Each time the error says so, nothing is
 * left behind, and the library still works.
 *
 * This program's own malloc and others stand in for the C library's also where
 * the shared library calls them. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fairdarts/inference_c.h"
#include "tests/capi/make_model.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

int main(void) {
  puts("not run: the sanitizer has a malloc of its own");
  return 0;
}

#else

extern void* __libc_malloc(size_t size);
extern void* __libc_calloc(size_t count, size_t size);
extern void* __libc_realloc(void* memory, size_t size);
extern void* __libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void* memory);

static long requests = 0; /* so far */
static long first_to_fail = -1;
static long last_to_fail = -1;
static long living = 0; /* blocks and mappings */

static int fails(void) {
  const long request = __atomic_fetch_add(&requests, 1, __ATOMIC_SEQ_CST);
  if (first_to_fail < 0 || request < first_to_fail || request > last_to_fail) {
    return 0;
  }
  errno = ENOMEM;
  return 1;
}

static void* counted(void* memory) {
  if (memory != NULL) __atomic_fetch_add(&living, 1, __ATOMIC_SEQ_CST);
  return memory;
}

void* malloc(size_t size) {
  return fails() ? NULL : counted(__libc_malloc(size));
}

void* calloc(size_t count, size_t size) {
  return fails() ? NULL : counted(__libc_calloc(count, size));
}

void* realloc(void* memory, size_t size) {
  void* const moved = fails() ? NULL : __libc_realloc(memory, size);
  return memory == NULL ? counted(moved) : moved;
}

void* memalign(size_t alignment, size_t size) {
  return fails() ? NULL : counted(__libc_memalign(alignment, size));
}

void* aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}

int posix_memalign(void** memory, size_t alignment, size_t size) {
  *memory = memalign(alignment, size);
  return *memory == NULL ? ENOMEM : 0;
}

void free(void* memory) {
  if (memory != NULL) __atomic_fetch_sub(&living, 1, __ATOMIC_SEQ_CST);
  __libc_free(memory);
}

/* The C library's own ones; ISO C has no cast from an object to a function. */
static void* (*system_mmap)(void*, size_t, int, int, int, off_t);
static int (*system_munmap)(void*, size_t);
static int (*system_open)(const char*, int, ...);
static int (*system_thread)(pthread_t*, const pthread_attr_t*, void* (*)(void*),
                            void*);

static void find_system(void) {
  *(void**)&system_mmap = dlsym(RTLD_NEXT, "mmap");
  *(void**)&system_munmap = dlsym(RTLD_NEXT, "munmap");
  *(void**)&system_open = dlsym(RTLD_NEXT, "open");
  *(void**)&system_thread = dlsym(RTLD_NEXT, "pthread_create");
}

void* mmap(void* address, size_t size, int protection, int flags, int file,
           off_t offset) {
  void* mapped = MAP_FAILED;
  if (system_mmap == NULL) find_system();
  if (!fails()) {
    mapped = system_mmap(address, size, protection, flags, file, offset);
  }
  if (mapped != MAP_FAILED) counted(mapped);
  return mapped;
}

int munmap(void* address, size_t size) {
  if (system_munmap == NULL) find_system();
  __atomic_fetch_sub(&living, 1, __ATOMIC_SEQ_CST);
  return system_munmap(address, size);
}

int open(const char* path, int flags, ...) {
  int mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, int);
    va_end(arguments);
  }
  if (system_open == NULL) find_system();
  if (fails()) {
    errno = EMFILE;
    return -1;
  }
  return system_open(path, flags, mode);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                   void* (*start)(void*), void* argument) {
  if (system_thread == NULL) find_system();
  return fails() ? EAGAIN : system_thread(thread, attributes, start, argument);
}

static fairdarts_status (*load)(const char*, const fairdarts_options*,
                                fairdarts_session**);
static fairdarts_status (*load_bytes)(const void*, size_t,
                                      const fairdarts_options*,
                                      fairdarts_session**);
static fairdarts_status (*run)(fairdarts_session*, const float*, size_t, float*,
                               size_t);
static void (*free_session)(fairdarts_session*);
static const char* (*last_error)(void);

static char path[1024];
static char bytes[1 << 20];
static size_t bytes_size;
static float images[2 * 3 * 16 * 16];
static float expected[2 * 3];

static void run_in_turn(void* executor, int32_t tasks, fairdarts_task task,
                        void* work) {
  int32_t i;
  (void)executor;
  for (i = 0; i < tasks; ++i) task(work, i);
}

static int descriptors(void) {
  int count = 0;
  int i;
  for (i = 0; i < 256; ++i) count += fcntl(i, F_GETFD) >= 0;
  return count;
}

/* A session that gives the right logits. */
static int works(const fairdarts_options* options) {
  fairdarts_session* session = NULL;
  float logits[2 * 3];
  int good;
  if (load(path, options, &session) != FAIRDARTS_OK) return 0;
  good = run(session, images, 2, logits, 6) == FAIRDARTS_OK &&
         memcmp(logits, expected, sizeof(logits)) == 0;
  free_session(session);
  return good;
}

/* All failures of one way to load; `for_good`: everything from one on. */
static int check(const char* name, const fairdarts_options* options,
                 int from_path, int for_good) {
  int without = 0;
  long n;
  for (n = 0;; ++n) {
    fairdarts_session* session = NULL;
    const int files_before = descriptors();
    const long living_before = living;
    fairdarts_status status;
    int reached;
    first_to_fail = requests + n;
    last_to_fail = for_good ? INT32_MAX : first_to_fail;
    status = from_path ? load(path, options, &session)
                       : load_bytes(bytes, bytes_size, options, &session);
    reached = requests > first_to_fail;
    first_to_fail = -1;
    if (status == FAIRDARTS_OK) {
      /* A sort does without its buffer, an exception has a reserve. */
      without += reached;
      free_session(session);
    } else if (session != NULL || last_error()[0] == '\0' ||
               (status != FAIRDARTS_OUT_OF_MEMORY &&
                status != FAIRDARTS_ENVIRONMENT)) {
      printf("%s, request %ld: status %d, \"%s\"\n", name, n, (int)status,
             last_error());
      return 0;
    }
    if (living != living_before || descriptors() != files_before) {
      printf("%s, request %ld: %ld blocks and %d descriptors are left\n", name,
             n, living - living_before, descriptors() - files_before);
      return 0;
    }
    if (n % 64 == 0 && !works(options)) {
      printf("%s, request %ld: no load works afterwards\n", name, n);
      return 0;
    }
    if (!reached) break;
  }
  printf("%s: %ld requests, %d of them not needed\n", name, n, without);
  return n > 100 && without <= 2;
}

int main(int argc, char** argv) {
  fairdarts_options one = FAIRDARTS_OPTIONS_INIT;
  fairdarts_options two = FAIRDARTS_OPTIONS_INIT;
  fairdarts_options own = FAIRDARTS_OPTIONS_INIT;
  FILE* file;
  void* library;
  int for_good;
  int good = 1;
  find_system();
  if (argc != 2) return 2;
  library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    printf("%s\n", dlerror());
    return 1;
  }
  *(void**)&load = dlsym(library, "fairdarts_session_load_with");
  *(void**)&load_bytes = dlsym(library, "fairdarts_session_load_bytes_with");
  *(void**)&run = dlsym(library, "fairdarts_session_run");
  *(void**)&free_session = dlsym(library, "fairdarts_session_free");
  *(void**)&last_error = dlsym(library, "fairdarts_last_error");
  snprintf(path, sizeof(path), "%s/model.safetensors", getenv("TEST_TMPDIR"));
  if (!make_model(path, images, 2, expected)) return 1;
  file = fopen(path, "rb");
  bytes_size = fread(bytes, 1, sizeof(bytes), file);
  fclose(file);

  two.threads = 2;
  own.executor_threads = 2;
  own.run_tasks = run_in_turn;
  /* What first calls leave behind for good, such as tables and stacks. */
  if (!works(&one) || !works(&two) || !works(&own)) return 1;
  first_to_fail = requests + 50;
  last_to_fail = first_to_fail;
  good &= !works(&two);
  first_to_fail = -1;
  for (for_good = 0; for_good < 2; ++for_good) {
    good &= check("from a file", &one, 1, for_good);
    good &= check("from memory", &one, 0, for_good);
    good &= check("with two threads", &two, 1, for_good);
    good &= check("with an executor", &own, 0, for_good);
  }
  good &= works(&one) && works(&two) && works(&own);
  return good ? 0 : 1;
}

#endif
