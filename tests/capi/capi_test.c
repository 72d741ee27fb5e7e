/* The C interface, as a C program uses it. */

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fairdarts/inference_c.h"
#include "tests/capi/expect.h"
#include "tests/capi/make_model.h"

/* A whole file; the size is set, the bytes are the caller's to free. */
static char* read_file(const char* path, size_t* size) {
  FILE* const file = fopen(path, "rb");
  char* bytes;
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  bytes = malloc(*size);
  if (fread(bytes, 1, *size, file) != *size) *size = 0;
  fclose(file);
  return bytes;
}

/* An executor that runs the last task first, and counts its calls. */
static void run_backwards(void* executor, int32_t tasks, fairdarts_task task,
                          void* work) {
  ++*(int*)executor;
  while (tasks-- > 0) task(work, tasks);
}

/* What the options do, and which ones are refused. */
static void test_options(const char* path, const float* images,
                         const float* expected) {
  /* Of a program that was built with a later release. */
  struct {
    fairdarts_options known;
    int32_t later[2];
  } newer;
  fairdarts_options options = FAIRDARTS_OPTIONS_INIT;
  fairdarts_session* session = NULL;
  const char* isa = NULL;
  float logits[2 * 3];
  int32_t threads = 0;
  int calls = 0;
  int i;

  EXPECT(strcmp(fairdarts_supported_isa(0), "reference") == 0);
  EXPECT(fairdarts_supported_isa(-1) == NULL);
  EXPECT(fairdarts_supported_isa(1000) == NULL);
  for (i = 0; fairdarts_supported_isa(i) != NULL; ++i) {
    options.isa = fairdarts_supported_isa(i);
    EXPECT(fairdarts_session_load_with(path, &options, &session) ==
           FAIRDARTS_OK);
    EXPECT(fairdarts_session_isa(session, &isa) == FAIRDARTS_OK);
    EXPECT(strcmp(isa, options.isa) == 0);
    EXPECT(fairdarts_session_run(session, images, 1, logits, 3) ==
           FAIRDARTS_OK);
    EXPECT(fabs(logits[0] - expected[0]) <= 1e-4 * fabs(expected[0]));
    fairdarts_session_free(session);
  }
  options.isa = "mmx\n";
  EXPECT_FAILS(fairdarts_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT, "isa: \"mmx\\n\" is none of");
  EXPECT(session == NULL);
  options.isa = NULL;

  options.threads = 3;
  EXPECT(fairdarts_session_load_with(path, &options, &session) == FAIRDARTS_OK);
  EXPECT(fairdarts_session_threads(session, &threads) == FAIRDARTS_OK);
  EXPECT(threads == 3);
  EXPECT(fairdarts_session_run(session, images, 2, logits, 6) == FAIRDARTS_OK);
  EXPECT(memcmp(logits, expected, sizeof(logits)) == 0);
  EXPECT_FAILS(fairdarts_session_threads(session, NULL),
               FAIRDARTS_INVALID_ARGUMENT, "threads must not be NULL");
  EXPECT_FAILS(fairdarts_session_isa(NULL, &isa), FAIRDARTS_INVALID_ARGUMENT,
               "session must not be NULL");
  fairdarts_session_free(session);
  options.threads = -1;
  EXPECT_FAILS(fairdarts_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT,
               "threads: is -1; it has to be 1 to 1024, or 0 for 1");

  /* Batch 1 step by step, batch 2 by image. */
  options.threads = 0;
  options.executor_threads = 2;
  options.run_tasks = run_backwards;
  options.executor = &calls;
  EXPECT(fairdarts_session_load_with(path, &options, &session) == FAIRDARTS_OK);
  EXPECT(fairdarts_session_run(session, images, 2, logits, 6) == FAIRDARTS_OK);
  EXPECT(memcmp(logits, expected, sizeof(logits)) == 0);
  EXPECT(calls == 1);
  EXPECT(fairdarts_session_run(session, images, 1, logits, 3) == FAIRDARTS_OK);
  EXPECT(memcmp(logits, expected, 3 * sizeof(float)) == 0);
  EXPECT(calls > 1);
  EXPECT(fairdarts_session_threads(session, &threads) == FAIRDARTS_OK);
  EXPECT(threads == 2);
  fairdarts_session_free(session);
  options.threads = 2;
  EXPECT_FAILS(fairdarts_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT, "threads of its own");
  options.threads = 0;
  options.executor_threads = 0;
  EXPECT_FAILS(fairdarts_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT, "executor_threads: is 0");
  options.executor_threads = 100000;
  EXPECT_FAILS(fairdarts_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT,
               "executor_threads: is 100000; it has to be 1 to 1024");
  options.run_tasks = NULL;
  EXPECT_FAILS(fairdarts_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT, "run_tasks: is NULL");

  /* A program that was built before there were more fields than `threads`. */
  options.threads = 2;
  options.size = offsetof(fairdarts_options, executor_threads);
  options.isa = "what lies behind is not read";
  EXPECT(fairdarts_session_load_with(path, &options, &session) == FAIRDARTS_OK);
  EXPECT(fairdarts_session_threads(session, &threads) == FAIRDARTS_OK);
  EXPECT(threads == 2);
  fairdarts_session_free(session);
  options.size = 0;
  EXPECT_FAILS(fairdarts_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT, "options: size is 0");
  options.size = offsetof(fairdarts_options, threads) + 1;
  EXPECT_FAILS(fairdarts_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT, "options: size is 9");
  options.size = (size_t)-1;
  EXPECT_FAILS(fairdarts_session_load_with(path, &options, &session),
               FAIRDARTS_INVALID_ARGUMENT, "options: size is 1844");

  memset(&newer, 0, sizeof(newer));
  newer.known.size = sizeof(newer);
  EXPECT(fairdarts_session_load_with(path, &newer.known, &session) ==
         FAIRDARTS_OK);
  fairdarts_session_free(session);
  newer.later[1] = 1;
  EXPECT_FAILS(fairdarts_session_load_with(path, &newer.known, &session),
               FAIRDARTS_INVALID_ARGUMENT, "is set; this library, release 1.");
  EXPECT(session == NULL);
}

int main(void) {
  char path[1024];
  fairdarts_session* session = NULL;
  fairdarts_session* other = NULL;
  int32_t shape[3] = {0, 0, 0};
  int32_t classes = 0;
  const char* name = NULL;
  float mean[3];
  float deviation[3];
  float* images;
  float logits[2 * 3];
  float expected[2 * 3];
  char* bytes;
  size_t size = 0;
  int i;

  EXPECT(fairdarts_api_version() == FAIRDARTS_API_VERSION);
  EXPECT(strcmp(fairdarts_version(), FAIRDARTS_VERSION) == 0);
  EXPECT(strcmp(fairdarts_last_error(), "") == 0);
  snprintf(path, sizeof(path), "%s/model.safetensors", getenv("TEST_TMPDIR"));
  images = malloc(2 * sizeof(float) * 3 * 16 * 16);
  EXPECT(make_model(path, images, 2, expected));

  EXPECT_FAILS(fairdarts_session_load("/nowhere", &session),
               FAIRDARTS_BAD_MODEL, "/nowhere: cannot open");
  EXPECT(session == NULL);
  EXPECT_FAILS(fairdarts_session_load(NULL, &session),
               FAIRDARTS_INVALID_ARGUMENT, "path must not be NULL");
  EXPECT_FAILS(fairdarts_session_load(path, NULL), FAIRDARTS_INVALID_ARGUMENT,
               "session must not be NULL");

  EXPECT(fairdarts_session_load(path, &session) == FAIRDARTS_OK);
  EXPECT(fairdarts_session_image_shape(session, shape) == FAIRDARTS_OK);
  EXPECT(shape[0] == 3 && shape[1] == 16 && shape[2] == 16);
  EXPECT(fairdarts_session_classes(session, &classes) == FAIRDARTS_OK);
  EXPECT(classes == 3);
  EXPECT(fairdarts_session_class_name(session, 1, &name) == FAIRDARTS_OK);
  EXPECT(strcmp(name, "bird") == 0);
  EXPECT_FAILS(fairdarts_session_class_name(session, 3, &name),
               FAIRDARTS_INVALID_ARGUMENT, "index: is 3 of 3 classes");
  EXPECT(fairdarts_session_normalization(session, mean, deviation, 3) ==
         FAIRDARTS_OK);
  EXPECT(mean[0] == 0.5f && deviation[2] == 0.25f);
  EXPECT_FAILS(fairdarts_session_normalization(session, mean, deviation, 1),
               FAIRDARTS_INVALID_ARGUMENT, "channels: is 1; an image has 3");

  EXPECT(fairdarts_session_run(session, images, 2, logits, 6) == FAIRDARTS_OK);
  for (i = 0; i < 6; ++i) EXPECT(logits[i] == expected[i]);
  EXPECT_FAILS(fairdarts_session_run(session, images, 2, logits, 5),
               FAIRDARTS_INVALID_ARGUMENT, "room for 5 floats");
  EXPECT_FAILS(fairdarts_session_run(session, images, 0, logits, 0),
               FAIRDARTS_INVALID_ARGUMENT, "batch: is 0");
  EXPECT_FAILS(fairdarts_session_run(session, images, (size_t)-1, logits, 6),
               FAIRDARTS_INVALID_ARGUMENT, "no more than fit");
  EXPECT_FAILS(fairdarts_session_run(session, NULL, 1, logits, 3),
               FAIRDARTS_INVALID_ARGUMENT, "images must not be NULL");
  EXPECT_FAILS(fairdarts_session_run(session, images, 1, NULL, 3),
               FAIRDARTS_INVALID_ARGUMENT, "logits must not be NULL");
  EXPECT_FAILS(fairdarts_session_run(NULL, images, 1, logits, 3),
               FAIRDARTS_INVALID_ARGUMENT, "session must not be NULL");
  /* Errors leave a session as it was. */
  EXPECT(fairdarts_session_run(session, images, 1, logits, 3) == FAIRDARTS_OK);
  EXPECT(logits[2] == expected[2]);

  test_options(path, images, expected);

  bytes = read_file(path, &size);
  EXPECT(fairdarts_session_load_bytes(bytes, size, &other) == FAIRDARTS_OK);
  EXPECT(fairdarts_session_run(other, images, 1, logits, 3) == FAIRDARTS_OK);
  EXPECT(logits[0] == expected[0]);
  fairdarts_session_free(other);
  EXPECT_FAILS(fairdarts_session_load_bytes(bytes, size - 1, &other),
               FAIRDARTS_BAD_MODEL, "model in memory: ");
  EXPECT(other == NULL);
  EXPECT_FAILS(fairdarts_session_load_bytes(bytes, (size_t)-1, &other),
               FAIRDARTS_INVALID_ARGUMENT, "size: is 1844");
  EXPECT(other == NULL);
  free(bytes);

  fairdarts_session_free(session);
  fairdarts_session_free(NULL);
  free(images);
  return failures == 0 ? 0 : 1;
}
