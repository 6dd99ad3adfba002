/*
 * Modules for Rivero in C and C++.
 *
 * A module says in a descriptor (*.kmd.json) which classes it has, and gives a rivero_class for each:
 *
 *     static const rivero_class blur = {
 *       .size = sizeof(rivero_class), .name = "Blur",
 *       .create = blur_create, .destroy = blur_destroy, .invoke = blur_invoke, .picture = blur_picture,
 *     };
 *     RIVERO_MODULE(&blur)
 *
 * `kmd gen c acme.kmd.json --output .` writes acme.module.c, by which the server knows the module without
 * running it, and acme.module.map, by which the library shows nothing else. All of it becomes one library:
 *
 *     cc -shared -fPIC -O2 -o acme.so blur.c acme.module.c -lrivero_module -lm \
 *       -Wl,--gc-sections -Wl,--version-script=acme.module.map
 *
 * The functions of one object are never called at the same time, whichever threads they come from. They return at once
 * where they get media: what else goes on waits for them. Nothing is checked here that the descriptor says: parameters
 * have its types and its defaults.
 */
#ifndef RIVERO_H
#define RIVERO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An object of the server, for as long as the module's own object lives. */
typedef struct rivero_context rivero_context;

/* A JSON object: the parameters of a constructor or an operation. It lasts as long as the call that gets it. */
typedef struct rivero_values rivero_values;

/* What an operation answers, or why a call failed. */
typedef struct rivero_answer rivero_answer;

/*
 * A raw picture: I420, the planes of Y, U and V one behind the other without gaps. Those of U and V have half the
 * width and height, rounded up. What is written into it goes on.
 */
typedef struct rivero_picture {
  uint32_t width, height;
  uint8_t *planes[3];
  size_t strides[3]; /* bytes of a row */
  size_t size;       /* bytes of all planes */
  int64_t time;      /* when it is shown, ns on the clock of rivero_now() */
} rivero_picture;

/* Raw sound: samples of all channels in turn. What is written into it goes on. */
typedef struct rivero_sound {
  uint32_t rate;     /* Hz */
  uint32_t channels;
  int16_t *samples;
  size_t count;      /* of samples, those of all channels together */
  int64_t time;      /* of the first, ns */
} rivero_sound;

/* A class. Functions that it does not need are NULL. */
typedef struct rivero_class {
  size_t size;      /* sizeof(rivero_class), so that later versions may add functions */
  const char *name; /* as in the descriptor, without the module */

  /* Makes an object, which the other functions get. NULL: it failed, and rivero_fail said why. */
  void *(*create)(rivero_context *context, const rivero_values *params, rivero_answer *answer);
  /* The object was released. No other function runs any more, and the context is gone afterwards. */
  void (*destroy)(void *object);
  /* An operation: a method, `getX` or `setX`. Without an answer null is answered. */
  void (*invoke)(void *object, const char *operation, const rivero_values *params, rivero_answer *answer);
  /* A picture on its way. Without this function video passes as it comes, encoded or not. */
  void (*picture)(void *object, rivero_picture *picture);
  /* Sound on its way. Without this function sound passes as it comes. */
  void (*sound)(void *object, rivero_sound *sound);
} rivero_class;

/* The classes of the module, in C at the end of a file, in C++ outside of all namespaces. */
#ifdef __cplusplus
#define RIVERO_MODULE(...) \
  extern "C" const rivero_class *const rivero_classes[]; \
  const rivero_class *const rivero_classes[] = {__VA_ARGS__, NULL};
#else
#define RIVERO_MODULE(...) const rivero_class *const rivero_classes[] = {__VA_ARGS__, NULL};
#endif

/* --- Parameters. Of a name that there is not, or another type, the fallback. --- */

int64_t rivero_int(const rivero_values *values, const char *name, int64_t fallback);
double rivero_number(const rivero_values *values, const char *name, double fallback);
int rivero_boolean(const rivero_values *values, const char *name, int fallback);
/* Text, and the id of an object. It lasts as long as the values. */
const char *rivero_string(const rivero_values *values, const char *name, const char *fallback);
/* Any value, or with the name NULL all of them, as JSON. It lasts as long as the values. NULL if there is none. */
const char *rivero_json(const rivero_values *values, const char *name);

/* --- Answers. The last one counts. --- */

void rivero_answer_int(rivero_answer *answer, int64_t value);
void rivero_answer_number(rivero_answer *answer, double value);
void rivero_answer_boolean(rivero_answer *answer, int value);
void rivero_answer_string(rivero_answer *answer, const char *value);
/* A value as JSON. What is none fails the call. */
void rivero_answer_json(rivero_answer *answer, const char *json);
/* The call failed. `code`: 49000 to 49999 are the module's own, 40107 is a parameter that makes no sense, 0 is 40003. */
void rivero_fail(rivero_answer *answer, int32_t code, const char *message);

/* --- The server. Of a context from any thread. --- */

/* The object's id. */
const char *rivero_id(const rivero_context *context);
/* Raises an event of the class; `data` is a JSON object with the event's own properties, NULL for none. */
void rivero_emit(const rivero_context *context, const char *event, const char *data);
/* Raises `Error`: `kind` such as "RESOURCE_ERROR_OPEN", `code` 0 where there is none. */
void rivero_error(const rivero_context *context, const char *kind, int32_t code, const char *description);
/* Writes into the server's log: level 1 errors, 2 warnings, 3 information, 4 and 5 for who looks for faults. */
void rivero_log(int level, const char *message);
/* The clock of all pipelines: ns, monotonic. */
int64_t rivero_now(void);

#ifdef __cplusplus
}
#endif

#endif
