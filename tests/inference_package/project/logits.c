/* usage: logits MODEL IMAGES LOGITS
 * Runs the images of a file of floats and writes their logits, as a program
 * outside of the project does, in C99 without extensions. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fairdarts/inference_c.h"

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, fairdarts_last_error());
  return 1;
}

/* What the library says about files that are no models, and that it still works
 * afterwards. */
static int errors_are_named(void) {
  fairdarts_session* session = NULL;
  if (fairdarts_session_load("/nowhere", &session) != FAIRDARTS_BAD_MODEL ||
      strstr(fairdarts_last_error(), "/nowhere: cannot open: ") == NULL) {
    return 0;
  }
  if (fairdarts_session_load_bytes("no model", 8, &session) !=
          FAIRDARTS_BAD_MODEL ||
      strstr(fairdarts_last_error(), "model in memory: header of ") == NULL) {
    return 0;
  }
  return fairdarts_session_load(NULL, &session) == FAIRDARTS_INVALID_ARGUMENT &&
         session == NULL;
}

int main(int argc, char** argv) {
  fairdarts_session* session = NULL;
  int32_t shape[3];
  int32_t classes = 0;
  size_t floats;
  size_t batch;
  long bytes;
  float* images;
  float* logits;
  FILE* file;
  if (argc != 4) return 2;
  if (strcmp(fairdarts_version(), FAIRDARTS_VERSION) != 0 ||
      fairdarts_api_version() != FAIRDARTS_API_VERSION) {
    fprintf(stderr, "header and library are of different releases\n");
    return 1;
  }
  if (!errors_are_named()) return fail("an error without its name");

  if (fairdarts_session_load(argv[1], &session) != FAIRDARTS_OK) {
    return fail("load");
  }
  if (fairdarts_session_image_shape(session, shape) != FAIRDARTS_OK ||
      fairdarts_session_classes(session, &classes) != FAIRDARTS_OK) {
    return fail("describe");
  }
  floats = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];

  file = fopen(argv[2], "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) return 1;
  bytes = ftell(file);
  if (bytes <= 0 || (size_t)bytes % (sizeof(float) * floats) != 0) return 1;
  batch = (size_t)bytes / (sizeof(float) * floats);
  rewind(file);
  images = malloc((size_t)bytes);
  logits = malloc(batch * (size_t)classes * sizeof(float));
  if (images == NULL || logits == NULL ||
      fread(images, sizeof(float), batch * floats, file) != batch * floats) {
    return 1;
  }
  fclose(file);

  if (fairdarts_session_run(session, images, batch, logits,
                            batch * (size_t)classes) != FAIRDARTS_OK) {
    return fail("run");
  }
  fairdarts_session_free(session);

  file = fopen(argv[3], "wb");
  if (file == NULL || fwrite(logits, sizeof(float), batch * (size_t)classes,
                             file) != batch * (size_t)classes) {
    return 1;
  }
  free(images);
  free(logits);
  return fclose(file) == 0 ? 0 : 1;
}
