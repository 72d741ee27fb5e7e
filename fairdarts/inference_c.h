#ifndef FAIRDARTS_INFERENCE_C_H_
#define FAIRDARTS_INFERENCE_C_H_

/* Inference of found networks for programs in C and for other languages.
 *
 *   fairdarts_session* session = NULL;
 *   fairdarts_options options = FAIRDARTS_OPTIONS_INIT;
 *   options.threads = 2;
 *   if (fairdarts_session_load_with("model.safetensors", &options, &session) !=
 *           FAIRDARTS_OK ||
 *       fairdarts_session_run(session, images, 1, logits, 10) !=
 *           FAIRDARTS_OK) {
 *     fprintf(stderr, "%s\n", fairdarts_last_error());
 *   }
 *   fairdarts_session_free(session);
 *
 * Nothing here throws, aborts on bad input or keeps a pointer that it is given,
 * but for an executor. What fails leaves the library and its sessions as they
 * were. Sessions are independent of each other; one is used by one thread at a
 * time.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised by every change that is not an addition. */
#define FAIRDARTS_API_VERSION 1

/* The release that this header belongs to: major, minor, patch. */
#define FAIRDARTS_VERSION "1.0.0"

typedef enum fairdarts_status {
  FAIRDARTS_OK = 0,
  FAIRDARTS_INVALID_ARGUMENT = 1, /* a null pointer, a wrong size */
  FAIRDARTS_BAD_MODEL = 2,        /* a file that is missing, damaged or newer */
  FAIRDARTS_OUT_OF_MEMORY = 3,
  FAIRDARTS_INTERNAL = 4, /* a fault of this library */
  /* the system starts no more threads or has too many open files */
  FAIRDARTS_ENVIRONMENT = 5
} fairdarts_status;

typedef struct fairdarts_session fairdarts_session;

/* One of the tasks of an executor. */
typedef void (*fairdarts_task)(void* work, int32_t task);

/* How a session runs. A field that is zero stands for its default, and fields
 * are only ever added at the end: `size` tells the library which ones there
 * are. A library that is older than the program refuses fields that it does not
 * know unless they are zero. */
typedef struct fairdarts_options {
  size_t size; /* sizeof(fairdarts_options) */

  /* Threads that work on a call of fairdarts_session_run, the caller's among
   * them, up to 1024; 0 is 1. The session owns the others; between calls they
   * sleep. Logits are the same to the bit for every number of threads. */
  int32_t threads;

  /* The program's own threads in place of the session's: run_tasks calls
   * task(work, i) once for every i from 0 to tasks - 1, in any order, in any
   * threads, at the same time or one after the other, and returns when all of
   * them have returned. Tasks do not wait for each other. At most
   * executor_threads tasks, which are 1 to 1024, are asked for at a time; each
   * has about a megabyte of its own. It is called once for each step of a
   * network, within microseconds, so it should start no threads and allocate
   * nothing; what is not worth sharing runs in the thread that calls
   * fairdarts_session_run. All of it outlives the session, and `threads` is 0
   * beside it. */
  int32_t executor_threads;
  void (*run_tasks)(void* executor, int32_t tasks, fairdarts_task task,
                    void* work);
  void* executor; /* for run_tasks */

  /* An instruction set, see fairdarts_supported_isa; NULL: the best one. */
  const char* isa;
} fairdarts_options;

#define FAIRDARTS_OPTIONS_INIT \
  { sizeof(fairdarts_options), 0, 0, NULL, NULL, NULL }

/* FAIRDARTS_API_VERSION of the library that runs: programs that were built for
 * another one should not use it. */
int32_t fairdarts_api_version(void);

/* FAIRDARTS_VERSION of the library that runs. */
const char* fairdarts_version(void);

/* The instruction sets that this machine can run, slowest first: "reference",
 * then some of "sse4", "avx2", "avx512", "neon". NULL from the index behind the
 * last one on, and below 0. */
const char* fairdarts_supported_isa(int32_t index);

/* One line about the last call on this thread that did not give FAIRDARTS_OK,
 * valid until the next such call on this thread; "" before the first. */
const char* fairdarts_last_error(void);

/* Loads a model file and sets *session, or sets it to NULL where that fails.
 * The file is not needed afterwards. To replace it, rename a new one over it:
 * one that is shortened while it is loaded ends the process (SIGBUS). */
fairdarts_status fairdarts_session_load(const char* path,
                                        fairdarts_session** session);

/* The same from `size` bytes in memory. */
fairdarts_status fairdarts_session_load_bytes(const void* bytes, size_t size,
                                              fairdarts_session** session);

/* Both with options; NULL stands for the defaults. What is said about the file
 * above goes for this one too. */
fairdarts_status fairdarts_session_load_with(const char* path,
                                             const fairdarts_options* options,
                                             fairdarts_session** session);
fairdarts_status fairdarts_session_load_bytes_with(
    const void* bytes, size_t size, const fairdarts_options* options,
    fairdarts_session** session);

/* Ends a session and its threads. NULL is let pass. */
void fairdarts_session_free(fairdarts_session* session);

/* Channels, height and width of an image. */
fairdarts_status fairdarts_session_image_shape(const fairdarts_session* session,
                                               int32_t shape[3]);

/* The number of classes. */
fairdarts_status fairdarts_session_classes(const fairdarts_session* session,
                                           int32_t* classes);

/* The most threads that work on a call of fairdarts_session_run. */
fairdarts_status fairdarts_session_threads(const fairdarts_session* session,
                                           int32_t* threads);

/* The name of the instruction set that the session uses, valid for good. */
fairdarts_status fairdarts_session_isa(const fairdarts_session* session,
                                       const char** isa);

/* The name of a class, valid as long as the session; "" where the model has no
 * names. */
fairdarts_status fairdarts_session_class_name(const fairdarts_session* session,
                                              int32_t index, const char** name);

/* What normalises pixels of 0 to 1, (pixel - mean) / deviation, one number for
 * each channel of an image. */
fairdarts_status fairdarts_session_normalization(
    const fairdarts_session* session, float* mean, float* deviation,
    size_t channels);

/* Normalised images [batch][channels][height][width] to logits
 * [batch][classes]. `logits_floats` is the room behind `logits`: batch times
 * classes. Allocates nothing but on errors and in the program's executor. */
fairdarts_status fairdarts_session_run(fairdarts_session* session,
                                       const float* images, size_t batch,
                                       float* logits, size_t logits_floats);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* FAIRDARTS_INFERENCE_C_H_ */
