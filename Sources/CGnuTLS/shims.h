#ifndef CGNUTLS_SHIMS_H
#define CGNUTLS_SHIMS_H

#include <gnutls/gnutls.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

// gnutls_free is a mutable function pointer, which Swift 6 does not let concurrent code read. The library sets it
// before main and nothing here replaces it.
static inline void CGnuTLS_free(void *memory) { gnutls_free(memory); }

// A macro with a cast, which the importer drops.
static inline unsigned int CGnuTLS_CURVE_TO_BITS(gnutls_ecc_curve_t curve) { return GNUTLS_CURVE_TO_BITS(curve); }

#endif
