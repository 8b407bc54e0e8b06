/* What an entry of the op table returns. Values, not exceptions: the tables are plain C. */
#pragma once
#include <stdint.h>

typedef int32_t tw_status;
enum {
  TW_OK = 0,
  TW_INVALID = 1,        /* an argument lies outside its range */
  TW_SHAPE = 2,          /* views whose shapes or dtypes do not fit each other */
  TW_MEMORY = 3,         /* out of memory, or over the limit; nothing was changed */
  TW_UNSUPPORTED = 4,    /* this backend does not have this variant */
  TW_DEVICE_MISSING = 5, /* no such device */
  TW_DEVICE_LOST = 6,    /* a fault that the device does not recover from */
  TW_STOPPED = 7,        /* the context is closing: the work was left unfinished */
  TW_INTERNAL = 8        /* a defect of the backend */
};
