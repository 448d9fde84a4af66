#ifndef CZLIB_SHIMS_H
#define CZLIB_SHIMS_H

#include <zlib.h>

// Macros that pass the version of the header, which the importer drops. A negative number of window bits means raw
// DEFLATE, without zlib's header and checksum.
static inline int CZlib_deflateInitRaw(z_streamp stream, int level, int windowBits, int memoryLevel) {
    return deflateInit2(stream, level, Z_DEFLATED, -windowBits, memoryLevel, Z_DEFAULT_STRATEGY);
}

static inline int CZlib_inflateInitRaw(z_streamp stream, int windowBits) {
    return inflateInit2(stream, -windowBits);
}

#endif
