#ifndef FAIRDARTS_INFERENCE_C_H_
#define FAIRDARTS_INFERENCE_C_H_

/* Inference of found networks for programs in C and for other languages.
 *
 *   fairdarts_session* session = NULL;
 *   if (fairdarts_session_load("model.safetensors", &session) != FAIRDARTS_OK
 * || fairdarts_session_run(session, images, 1, logits, 10) != FAIRDARTS_OK) {
 *     fprintf(stderr, "%s\n", fairdarts_last_error());
 *   }
 *   fairdarts_session_free(session);
 *
 * Nothing here throws, aborts on bad input or keeps a pointer that it is given.
 * Sessions are independent of each other; one is used by one thread at a time.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised by every change that is not an addition at the end. */
#define FAIRDARTS_API_VERSION 1

typedef enum fairdarts_status {
  FAIRDARTS_OK = 0,
  FAIRDARTS_INVALID_ARGUMENT = 1, /* a null pointer, a wrong size */
  FAIRDARTS_BAD_MODEL = 2,        /* a file that is missing, damaged or newer */
  FAIRDARTS_OUT_OF_MEMORY = 3,
  FAIRDARTS_INTERNAL = 4 /* a fault of this library */
} fairdarts_status;

typedef struct fairdarts_session fairdarts_session;

/* FAIRDARTS_API_VERSION of the library that runs: programs that were built for
 * another one should not use it. */
int32_t fairdarts_api_version(void);

/* One line about the last call on this thread that did not give FAIRDARTS_OK,
 * valid until the next such call on this thread; "" before the first. */
const char* fairdarts_last_error(void);

/* Loads a model file and sets *session, or sets it to NULL where that fails.
 * The file is not needed afterwards. */
fairdarts_status fairdarts_session_load(const char* path,
                                        fairdarts_session** session);

/* The same from `size` bytes in memory. */
fairdarts_status fairdarts_session_load_bytes(const void* bytes, size_t size,
                                              fairdarts_session** session);

/* NULL is let pass. */
void fairdarts_session_free(fairdarts_session* session);

/* Channels, height and width of an image. */
fairdarts_status fairdarts_session_image_shape(const fairdarts_session* session,
                                               int32_t shape[3]);

/* The number of classes. */
fairdarts_status fairdarts_session_classes(const fairdarts_session* session,
                                           int32_t* classes);

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
 * classes. Allocates nothing but on errors. */
fairdarts_status fairdarts_session_run(fairdarts_session* session,
                                       const float* images, size_t batch,
                                       float* logits, size_t logits_floats);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* FAIRDARTS_INFERENCE_C_H_ */
