#ifndef FAIRDARTS_INFERENCE_CUDA_C_H_
#define FAIRDARTS_INFERENCE_CUDA_C_H_

/* Inference of found networks on a GPU of NVIDIA: what inference_c.h is for the
 * CPU, with the same status codes and fairdarts_last_error.
 *
 *   fairdarts_cuda_session* session = NULL;
 *   fairdarts_cuda_options options = FAIRDARTS_CUDA_OPTIONS_INIT;
 *   options.precision = FAIRDARTS_FLOAT16;
 *   if (fairdarts_cuda_session_load_with("model.safetensors", &options,
 *                                        &session) != FAIRDARTS_OK ||
 *       fairdarts_cuda_session_run(session, images, 1, logits, 10) !=
 *           FAIRDARTS_OK) {
 *     fprintf(stderr, "%s\n", fairdarts_last_error());
 *   }
 *   fairdarts_cuda_session_free(session);
 *
 * The driver is loaded with the first session: where there is none, or no GPU,
 * or one of them is too old, loading gives FAIRDARTS_ENVIRONMENT, and so does
 * whatever else the driver refuses. An error that spoils the GPU's context,
 * such as another kernel's illegal access, ends a session: later calls say so
 * at once. Every other error leaves it as it was. Sessions are independent of
 * each other; one is used by one thread at a time.
 */

#include <stddef.h>
#include <stdint.h>

#include "fairdarts/inference_c.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fairdarts_cuda_session fairdarts_cuda_session;

/* Of weights and maps. Images, logits and sums are float32 whatever it is. A
 * weight that is too large for it, with its batch norm, is an error of the
 * model file's; one that is too small becomes 0, and a map's value beyond
 * float16's 65504 infinite, so that logits which depend on it may be infinite
 * or not a number: no call tells that. */
enum {
  FAIRDARTS_FLOAT32 = 0, /* in full precision, products too */
  FAIRDARTS_FLOAT16 = 1,
  FAIRDARTS_BFLOAT16 = 2
};

/* Who does the dense convolutions of more than one pixel, such as the stem's.
 */
enum {
  /* Which of the two takes less time was not measured. */
  FAIRDARTS_CONVOLUTIONS_AUTO = 0, /* cuDNN where it can, else ... */
  FAIRDARTS_CONVOLUTIONS_OWN = 1,  /* ... this library's kernels */
  FAIRDARTS_CONVOLUTIONS_CUDNN = 2 /* cuDNN, or an error without it */
};

/* A field that is zero stands for its default, and fields are only ever added
 * at the end: as for fairdarts_options. */
typedef struct fairdarts_cuda_options {
  size_t size; /* sizeof(fairdarts_cuda_options) */

  int32_t device;    /* as CUDA's driver numbers them */
  int32_t precision; /* one of the above */

  /* The numbers of images that a graph is made for, up to 64 of them: a run
   * takes the largest that fits again and again, so 1 is always one. The
   * largest decides how much memory the maps take. */
  const int32_t* batch_sizes;
  size_t batch_size_count;

  /* What fairdarts_cuda_session_run works on, a CUstream or cudaStream_t that
   * outlives the session; NULL: a stream of its own. */
  void* stream;

  /* 1: a launch for each kernel in place of one graph: slower, and the same
   * logits to the bit. */
  int32_t without_graph;

  int32_t convolutions; /* one of the above */
} fairdarts_cuda_options;

#define FAIRDARTS_CUDA_OPTIONS_INIT \
  { sizeof(fairdarts_cuda_options), 0, FAIRDARTS_FLOAT32, NULL, 0, NULL, 0, 0 }

/* Loads a model file and sets *session, or sets it to NULL where that fails.
 * The file is not needed afterwards; what fairdarts_session_load says of it
 * goes here too. NULL options stand for the defaults. */
fairdarts_status fairdarts_cuda_session_load(const char* path,
                                             fairdarts_cuda_session** session);
fairdarts_status fairdarts_cuda_session_load_with(
    const char* path, const fairdarts_cuda_options* options,
    fairdarts_cuda_session** session);

/* The same from `size` bytes in memory. */
fairdarts_status fairdarts_cuda_session_load_bytes(
    const void* bytes, size_t size, fairdarts_cuda_session** session);
fairdarts_status fairdarts_cuda_session_load_bytes_with(
    const void* bytes, size_t size, const fairdarts_cuda_options* options,
    fairdarts_cuda_session** session);

/* Waits for what a session has been asked to do and ends it. NULL is let
 * pass. */
void fairdarts_cuda_session_free(fairdarts_cuda_session* session);

/* Channels, height and width of an image. */
fairdarts_status fairdarts_cuda_session_image_shape(
    const fairdarts_cuda_session* session, int32_t shape[3]);

/* The number of classes. */
fairdarts_status fairdarts_cuda_session_classes(
    const fairdarts_cuda_session* session, int32_t* classes);

/* The name of a class, valid as long as the session; "" where the model has no
 * names. */
fairdarts_status fairdarts_cuda_session_class_name(
    const fairdarts_cuda_session* session, int32_t index, const char** name);

/* As fairdarts_session_normalization. */
fairdarts_status fairdarts_cuda_session_normalization(
    const fairdarts_cuda_session* session, float* mean, float* deviation,
    size_t channels);

/* What the driver calls the GPU, valid as long as the session. */
fairdarts_status fairdarts_cuda_session_device_name(
    const fairdarts_cuda_session* session, const char** name);

/* Whether cuDNN does convolutions: 1 or 0. */
fairdarts_status fairdarts_cuda_session_uses_cudnn(
    const fairdarts_cuda_session* session, int32_t* uses);

/* What the session has allocated on the GPU. */
fairdarts_status fairdarts_cuda_session_device_bytes(
    const fairdarts_cuda_session* session, int64_t* bytes);

/* Normalised images [batch][channels][height][width] to logits
 * [batch][classes], both in the program's ordinary memory, and waits for them.
 * `logits_floats` is the room behind `logits`: batch times classes. */
fairdarts_status fairdarts_cuda_session_run(fairdarts_cuda_session* session,
                                            const float* images, size_t batch,
                                            float* logits,
                                            size_t logits_floats);

/* The same in memory that the GPU reaches, its own, pinned or managed, on a
 * stream (a CUstream or cudaStream_t; NULL: the legacy default one). Nothing is
 * allocated or waited for; errors of the work itself come with a later call.
 * Memory that the GPU does not reach, or that ends before the images or logits
 * do, is FAIRDARTS_INVALID_ARGUMENT; it stays as it is until the work is done.
 * Runs of a session follow each other, whatever their streams. On a stream that
 * is being captured the kernels become part of that graph: whoever launches it
 * sees to it that the session does nothing else at that time and outlives it.
 */
fairdarts_status fairdarts_cuda_session_run_async(
    fairdarts_cuda_session* session, const float* images, size_t batch,
    float* logits, void* stream);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* FAIRDARTS_INFERENCE_CUDA_C_H_ */
