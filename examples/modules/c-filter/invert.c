/* A filter in C: turns bright into dark. */

#include <rivero.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  rivero_context *context;
  int strength;
  int64_t pictures;
} invert;

/* 40107 is what Kurento's clients know for a parameter that makes no sense. */
static int accepts(int64_t strength, rivero_answer *answer) {
  if (strength >= 0 && strength <= 255) return 1;
  rivero_fail(answer, 40107, "strength must be from 0 to 255");
  return 0;
}

static void *create(rivero_context *context, const rivero_values *params, rivero_answer *answer) {
  int64_t strength = rivero_int(params, "strength", 255);
  if (!accepts(strength, answer)) return NULL;
  invert *self = calloc(1, sizeof *self);
  if (!self) {
    rivero_fail(answer, 0, "there is no memory left");
    return NULL;
  }
  self->context = context;
  self->strength = (int)strength;
  return self;
}

static void invoke(void *object, const char *operation, const rivero_values *params, rivero_answer *answer) {
  invert *self = object;
  if (!strcmp(operation, "getStrength")) rivero_answer_int(answer, self->strength);
  if (!strcmp(operation, "getPictures")) rivero_answer_int(answer, self->pictures);
  if (!strcmp(operation, "setStrength")) {
    int64_t strength = rivero_int(params, "strength", 255);
    if (accepts(strength, answer)) self->strength = (int)strength;
  }
  if (!strcmp(operation, "describe")) {
    char text[256];
    snprintf(text, sizeof text, "%s inverts by %d", rivero_string(params, "prefix", ""), self->strength);
    rivero_answer_string(answer, text);
  }
}

static void picture(void *object, rivero_picture *picture) {
  invert *self = object;
  if (self->pictures++ == 0) {
    char data[64];
    snprintf(data, sizeof data, "{\"width\": %u, \"height\": %u}", picture->width, picture->height);
    rivero_emit(self->context, "FirstPicture", data);
  }
  for (size_t i = 0; i < picture->size; i++) {
    int value = picture->planes[0][i];
    picture->planes[0][i] = (uint8_t)(value + (255 - 2 * value) * self->strength / 255);
  }
}

static const rivero_class cinvert = {
  .size = sizeof(rivero_class),
  .name = "CInvert",
  .create = create,
  .destroy = free,
  .invoke = invoke,
  .picture = picture,
};

RIVERO_MODULE(&cinvert)
