#ifndef CGNUTLS_SHIMS_H
#define CGNUTLS_SHIMS_H

#include <gnutls/gnutls.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#endif
