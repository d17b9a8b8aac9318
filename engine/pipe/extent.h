/* The door between frame and codec, which do not see each other: where unframed values end. */
#ifndef BX_PIPE_EXTENT_H
#define BX_PIPE_EXTENT_H

#include "frame/frame.h"

/* The extent function of a sequence format's serializer; NULL for formats that frame themselves. */
bx_extent_fn bx_extent_of(enum bx_format format);

#endif
