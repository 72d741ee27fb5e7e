#ifndef TESTS_CAPI_MAKE_MODEL_H_
#define TESTS_CAPI_MAKE_MODEL_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes a small model of three classes, fills `batch` images [3, 16, 16] and
 * computes their logits through the C++ interface. 0 where that fails. */
int make_model(const char* path, float* images, size_t batch, float* logits);

/* Writes the model of a published CIFAR network at full size with made-up
 * weights. 0 where that fails. */
int make_published_model(const char* path, const char* genotype);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TESTS_CAPI_MAKE_MODEL_H_ */
