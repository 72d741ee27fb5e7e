/* Bad input through the C interface: named errors, and a library that works as
 * before after each of them. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fairdarts/inference_c.h"
#include "tests/capi/make_model.h"

static int failures = 0;
static fairdarts_session* witness; /* loaded before anything went wrong */
static float images[2 * 3 * 16 * 16];
static float expected[2 * 3];

/* The witness still gives its logits. */
static int unharmed(void) {
  float logits[3];
  return fairdarts_session_run(witness, images, 1, logits, 3) == FAIRDARTS_OK &&
         memcmp(logits, expected, sizeof(logits)) == 0;
}

static void fail(const char* what, size_t where) {
  printf("%s %lu: \"%s\"\n", what, (unsigned long)where,
         fairdarts_last_error());
  ++failures;
}

/* The bytes are refused as a model with a message that names what they are. */
static void expect_refused(const char* what, size_t where, const char* bytes,
                           size_t size, const char* message) {
  fairdarts_session* session = witness;
  if (fairdarts_session_load_bytes(bytes, size, &session) !=
          FAIRDARTS_BAD_MODEL ||
      session != NULL ||
      strncmp(fairdarts_last_error(), "model in memory: ", 17) != 0 ||
      strstr(fairdarts_last_error(), message) == NULL) {
    fail(what, where);
  }
  if (where % 64 == 0 && !unharmed()) fail("harmed by", where);
}

/* Every size of a file, from memory and, for some, from a file. */
static void test_truncations(const char* bytes, size_t size, const char* path) {
  fairdarts_session* session = NULL;
  size_t i;
  for (i = 0; i < size; ++i) {
    /* A copy, so that reading behind it is found out. */
    char* const copy = malloc(i + 1);
    memcpy(copy, bytes, i);
    expect_refused("truncation to", i, copy, i, "");
    free(copy);
  }
  for (i = 0; i < size; i += i < 4200 ? 61 : 997) {
    FILE* const file = fopen(path, "wb");
    fwrite(bytes, 1, i, file);
    fclose(file);
    if (fairdarts_session_load(path, &session) != FAIRDARTS_BAD_MODEL ||
        strstr(fairdarts_last_error(), path) == NULL) {
      fail("truncated file", i);
    }
  }
  if (!unharmed()) fail("harmed by truncations", 0);
}

/* The header is covered by its check; in the data a flipped bit is another
 * weight, or one that is refused because it is no number. */
static void test_flipped(char* bytes, size_t size, size_t header) {
  const char flips[] = {1, 0x20, (char)0x80, (char)0xff};
  size_t i;
  size_t k;
  for (i = 0; i < header; ++i) {
    for (k = 0; k < sizeof(flips); ++k) {
      bytes[i] ^= flips[k];
      expect_refused("flipped byte", i, bytes, size, "");
      bytes[i] ^= flips[k];
    }
  }
  for (i = header; i < size; i += 29) {
    fairdarts_session* session = NULL;
    float logits[3];
    fairdarts_status status;
    bytes[i] ^= (char)0x7f;
    status = fairdarts_session_load_bytes(bytes, size, &session);
    if (status == FAIRDARTS_OK) {
      status = fairdarts_session_run(session, images, 1, logits, 3);
      if (status != FAIRDARTS_OK) fail("a run after a flip", i);
    } else if (status != FAIRDARTS_BAD_MODEL ||
               strstr(fairdarts_last_error(), "tensor ") == NULL) {
      fail("flipped byte of the data", i);
    }
    fairdarts_session_free(session);
    bytes[i] ^= (char)0x7f;
  }
  if (!unharmed()) fail("harmed by flips", 0);
}

/* Replaces a text in the header by one of its size. */
static void expect_named(char* bytes, size_t size, size_t header,
                         const char* from, const char* to,
                         const char* message) {
  const size_t length = strlen(from);
  size_t i;
  for (i = 8; i + length <= header; ++i) {
    if (memcmp(bytes + i, from, length) != 0) continue;
    memcpy(bytes + i, to, length);
    expect_refused(to, i, bytes, size, message);
    memcpy(bytes + i, from, length);
    return;
  }
  printf("the header has no %s\n", from);
  ++failures;
}

#define EXPECT_INVALID(call)                              \
  do {                                                    \
    if ((call) != FAIRDARTS_INVALID_ARGUMENT) {           \
      fail(#call " in line", __LINE__);                   \
    } else if (fairdarts_last_error()[0] == '\0') {       \
      fail("no message for " #call " in line", __LINE__); \
    } else if (!unharmed()) {                             \
      fail("harmed by " #call " in line", __LINE__);      \
    }                                                     \
  } while (0)

static void test_arguments(const char* path, const char* bytes, size_t size) {
  const fairdarts_session* const nothing = NULL;
  fairdarts_session* session = NULL;
  const char* name = NULL;
  int32_t shape[3];
  int32_t number = 0;
  float values[6];
  EXPECT_INVALID(fairdarts_session_load(NULL, &session));
  EXPECT_INVALID(fairdarts_session_load(path, NULL));
  EXPECT_INVALID(fairdarts_session_load_with(NULL, NULL, &session));
  EXPECT_INVALID(fairdarts_session_load_with(path, NULL, NULL));
  EXPECT_INVALID(fairdarts_session_load_bytes(NULL, size, &session));
  EXPECT_INVALID(fairdarts_session_load_bytes(bytes, size, NULL));
  EXPECT_INVALID(fairdarts_session_load_bytes_with(NULL, size, NULL, &session));
  EXPECT_INVALID(fairdarts_session_load_bytes_with(bytes, size, NULL, NULL));
  EXPECT_INVALID(fairdarts_session_image_shape(nothing, shape));
  EXPECT_INVALID(fairdarts_session_image_shape(witness, NULL));
  EXPECT_INVALID(fairdarts_session_classes(nothing, &number));
  EXPECT_INVALID(fairdarts_session_classes(witness, NULL));
  EXPECT_INVALID(fairdarts_session_threads(nothing, &number));
  EXPECT_INVALID(fairdarts_session_threads(witness, NULL));
  EXPECT_INVALID(fairdarts_session_isa(nothing, &name));
  EXPECT_INVALID(fairdarts_session_isa(witness, NULL));
  EXPECT_INVALID(fairdarts_session_class_name(nothing, 0, &name));
  EXPECT_INVALID(fairdarts_session_class_name(witness, 0, NULL));
  EXPECT_INVALID(fairdarts_session_class_name(witness, -1, &name));
  EXPECT_INVALID(fairdarts_session_class_name(witness, 3, &name));
  EXPECT_INVALID(fairdarts_session_normalization(nothing, values, values, 3));
  EXPECT_INVALID(fairdarts_session_normalization(witness, NULL, values, 3));
  EXPECT_INVALID(fairdarts_session_normalization(witness, values, NULL, 3));
  EXPECT_INVALID(fairdarts_session_normalization(witness, values, values, 2));
  EXPECT_INVALID(fairdarts_session_run(NULL, images, 1, values, 3));
  EXPECT_INVALID(fairdarts_session_run(witness, NULL, 1, values, 3));
  EXPECT_INVALID(fairdarts_session_run(witness, images, 1, NULL, 3));
  /* Buffers and batches that do not fit each other. */
  EXPECT_INVALID(fairdarts_session_run(witness, images, 1, values, 2));
  EXPECT_INVALID(fairdarts_session_run(witness, images, 1, values, 4));
  EXPECT_INVALID(fairdarts_session_run(witness, images, 2, values, 3));
  EXPECT_INVALID(fairdarts_session_run(witness, images, 0, values, 0));
  EXPECT_INVALID(fairdarts_session_run(witness, images, 1, values, 0));
  EXPECT_INVALID(fairdarts_session_run(witness, images, SIZE_MAX, values, 3));
  EXPECT_INVALID(
      fairdarts_session_run(witness, images, SIZE_MAX / 3072, values, 6));
}

int main(void) {
  static char bytes[1 << 20];
  char path[1024];
  char other[1024];
  FILE* file;
  size_t size;
  size_t header = 8;
  size_t i;
  snprintf(path, sizeof(path), "%s/model.safetensors", getenv("TEST_TMPDIR"));
  snprintf(other, sizeof(other), "%s/bad.safetensors", getenv("TEST_TMPDIR"));
  if (!make_model(path, images, 2, expected)) return 1;
  file = fopen(path, "rb");
  size = fread(bytes, 1, sizeof(bytes), file);
  fclose(file);
  for (i = 0; i < 8; ++i) header += (size_t)(unsigned char)bytes[i] << (8 * i);
  if (fairdarts_session_load(path, &witness) != FAIRDARTS_OK) return 1;

  test_arguments(path, bytes, size);
  test_truncations(bytes, size, other);
  test_flipped(bytes, size, header);
  expect_named(bytes, size, header, "\"format_version\":\"1\"",
               "\"format_version\":\"2\"",
               "format_version: is 2; this program reads up to 1");
  expect_named(bytes, size, header, "sep_conv_3x3", "dil_conv_3x3",
               "the genotype has no use for it");
  expect_named(bytes, size, header, "sep_conv_3x3", "sep_conv_5x5",
               "the genotype asks for [4,1,5,5]");
  expect_named(bytes, size, header, "\"dtype\":\"F32\"", "\"dtype\":\"I32\"",
               "is I32 instead of F32");
  expect_named(bytes, size, header, "\"shape\":[3,", "\"shape\":[4,",
               "shape and dtype F32 ask for");
  fairdarts_session_free(witness);
  return failures == 0 ? 0 : 1;
}
