// What Swift cannot import from nghttp3, and what differs between its generations: 0.8 (Debian 12) and 1.x.

#ifndef CNGHTTP3_SHIMS_H
#define CNGHTTP3_SHIMS_H

#include <nghttp3/nghttp3.h>

static inline void CNghttp3_settings_default(nghttp3_settings *settings) { nghttp3_settings_default(settings); }

static inline int CNghttp3_conn_client_new(
    nghttp3_conn **connection, const nghttp3_callbacks *callbacks, const nghttp3_settings *settings, void *user_data
) {
    return nghttp3_conn_client_new(connection, callbacks, settings, nghttp3_mem_default(), user_data);
}

static inline int CNghttp3_conn_server_new(
    nghttp3_conn **connection, const nghttp3_callbacks *callbacks, const nghttp3_settings *settings, void *user_data
) {
    return nghttp3_conn_server_new(connection, callbacks, settings, nghttp3_mem_default(), user_data);
}

#endif
