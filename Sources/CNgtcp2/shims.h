// What Swift cannot import from ngtcp2, and what differs between its library generations: 0.12 (Debian 12) and 1.x.
// Nothing above this header knows which generation it was built against.

#ifndef CNGTCP2_SHIMS_H
#define CNGTCP2_SHIMS_H

#include <malloc.h>
#include <stdlib.h>

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

// MARK: Names of the two generations

#if NGTCP2_VERSION_NUM < 0x010000
typedef ngtcp2_connection_close_error CNgtcp2_ccerr;
typedef ngtcp2_crypto_level CNgtcp2_encryption_level;
#define CNGTCP2_LEVEL_1RTT NGTCP2_CRYPTO_LEVEL_APPLICATION
#define CNGTCP2_CCERR_TYPE_APPLICATION NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_APPLICATION
#define CNGTCP2_CCERR_DEFAULT ngtcp2_connection_close_error_default
#define CNGTCP2_CCERR_SET_LIBERR ngtcp2_connection_close_error_set_transport_error_liberr
#define CNGTCP2_CCERR_SET_TLS_ALERT ngtcp2_connection_close_error_set_transport_error_tls_alert
#define CNGTCP2_CCERR_SET_APPLICATION ngtcp2_connection_close_error_set_application_error
#else
typedef ngtcp2_ccerr CNgtcp2_ccerr;
typedef ngtcp2_encryption_level CNgtcp2_encryption_level;
#define CNGTCP2_LEVEL_1RTT NGTCP2_ENCRYPTION_LEVEL_1RTT
#define CNGTCP2_CCERR_TYPE_APPLICATION NGTCP2_CCERR_TYPE_APPLICATION
#define CNGTCP2_CCERR_DEFAULT ngtcp2_ccerr_default
#define CNGTCP2_CCERR_SET_LIBERR ngtcp2_ccerr_set_liberr
#define CNGTCP2_CCERR_SET_TLS_ALERT ngtcp2_ccerr_set_tls_alert
#define CNGTCP2_CCERR_SET_APPLICATION ngtcp2_ccerr_set_application_error
#endif

// MARK: Configuration

static inline void CNgtcp2_settings_default(ngtcp2_settings *settings) { ngtcp2_settings_default(settings); }

static inline void CNgtcp2_transport_params_default(ngtcp2_transport_params *params) {
    ngtcp2_transport_params_default(params);
}

/// Makes the token of a client's Initial part of a server's settings; `is_retry` says which kind it is.
static inline void CNgtcp2_settings_set_token(
    ngtcp2_settings *settings, const uint8_t *token, size_t length, int is_retry
) {
#if NGTCP2_VERSION_NUM < 0x010000
    (void)is_retry;
    settings->token.base = (uint8_t *)token;
    settings->token.len = length;
#else
    settings->token = token;
    settings->tokenlen = length;
    settings->token_type = is_retry ? NGTCP2_TOKEN_TYPE_RETRY : NGTCP2_TOKEN_TYPE_NEW_TOKEN;
#endif
}

typedef void (*CNgtcp2_qlog_write)(void *user_data, uint32_t flags, const void *data, size_t length);

static inline void CNgtcp2_settings_set_qlog(
    ngtcp2_settings *settings, CNgtcp2_qlog_write write, const ngtcp2_cid *original_dcid
) {
#if NGTCP2_VERSION_NUM < 0x010000
    settings->qlog.write = write;
    settings->qlog.odcid = *original_dcid;
#else
    (void)original_dcid;
    settings->qlog_write = write;
#endif
}

static inline void CNgtcp2_transport_params_set_original_dcid(
    ngtcp2_transport_params *params, const ngtcp2_cid *original_dcid
) {
    params->original_dcid = *original_dcid;
#if NGTCP2_VERSION_NUM >= 0x010000
    params->original_dcid_present = 1;
#endif
}

/// What was last decrypted on this thread: how many packets with a short header so far, and the number of the last one as
/// it was sent.
typedef struct {
    uint64_t count, packet_number, packet_number_bits;
} CNgtcp2_decrypted;

/// The callback below gets nothing that tells its connection. Each object file has a record of its own: callbacks and record
/// are to be asked for in the same one.
static inline CNgtcp2_decrypted *CNgtcp2_last_decrypted(void) {
    static _Thread_local CNgtcp2_decrypted last;
    return &last;
}

static inline int CNgtcp2_decrypt(
    uint8_t *plaintext, const ngtcp2_crypto_aead *aead, const ngtcp2_crypto_aead_ctx *context,
    const uint8_t *ciphertext, size_t ciphertext_length, const uint8_t *nonce, size_t nonce_length,
    const uint8_t *header, size_t header_length
) {
    int result = ngtcp2_crypto_decrypt_cb(
        plaintext, aead, context, ciphertext, ciphertext_length, nonce, nonce_length, header, header_length
    );
    // The packet number ends the header, and the first byte has its length (RFC 9000 § 17.3.1).
    if (result == 0 && header_length > 4 && (header[0] & 0x80) == 0) {
        CNgtcp2_decrypted *last = CNgtcp2_last_decrypted();
        size_t length = (header[0] & 0x03) + 1;
        last->count += 1;
        last->packet_number = 0;
        last->packet_number_bits = 8 * length;
        for (size_t i = header_length - length; i < header_length; ++i) {
            last->packet_number = last->packet_number << 8 | header[i];
        }
    }
    return result;
}

/// Fills in the callbacks that the crypto helper library implements.
static inline void CNgtcp2_callbacks_set_crypto(ngtcp2_callbacks *callbacks, int is_server) {
    if (is_server) {
        callbacks->recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
    } else {
        callbacks->client_initial = ngtcp2_crypto_client_initial_cb;
        callbacks->recv_retry = ngtcp2_crypto_recv_retry_cb;
    }
    callbacks->recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
    callbacks->encrypt = ngtcp2_crypto_encrypt_cb;
    callbacks->decrypt = CNgtcp2_decrypt;
    callbacks->hp_mask = ngtcp2_crypto_hp_mask_cb;
    callbacks->update_key = ngtcp2_crypto_update_key_cb;
    callbacks->delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
    callbacks->delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
    callbacks->get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb;
    callbacks->version_negotiation = ngtcp2_crypto_version_negotiation_cb;
}

// MARK: Memory

/// An allocator that counts what is allocated and not freed, in bytes as the system rounds them. It stays in place as
/// long as the connection that uses it.
typedef struct {
    ngtcp2_mem functions;
    size_t used;
} CNgtcp2_memory;

static inline void *CNgtcp2_memory_added(void *memory, void *block) {
    if (block) { ((CNgtcp2_memory *)memory)->used += malloc_usable_size(block); }
    return block;
}

static inline void *CNgtcp2_memory_malloc(size_t size, void *memory) {
    return CNgtcp2_memory_added(memory, malloc(size));
}

static inline void CNgtcp2_memory_free(void *block, void *memory) {
    if (block) { ((CNgtcp2_memory *)memory)->used -= malloc_usable_size(block); }
    free(block);
}

static inline void *CNgtcp2_memory_calloc(size_t count, size_t size, void *memory) {
    return CNgtcp2_memory_added(memory, calloc(count, size));
}

static inline void *CNgtcp2_memory_realloc(void *block, size_t size, void *memory) {
    size_t old = block ? malloc_usable_size(block) : 0;
    void *moved = realloc(block, size);
    if (moved) { ((CNgtcp2_memory *)memory)->used -= old; }
    return CNgtcp2_memory_added(memory, moved);
}

static inline void CNgtcp2_memory_init(CNgtcp2_memory *memory) {
    memory->functions.user_data = memory;
    memory->functions.malloc = CNgtcp2_memory_malloc;
    memory->functions.free = CNgtcp2_memory_free;
    memory->functions.calloc = CNgtcp2_memory_calloc;
    memory->functions.realloc = CNgtcp2_memory_realloc;
    memory->used = 0;
}

// MARK: Connections

static inline int CNgtcp2_conn_client_new(
    ngtcp2_conn **connection, const ngtcp2_cid *dcid, const ngtcp2_cid *scid, const ngtcp2_path *path,
    const ngtcp2_callbacks *callbacks, const ngtcp2_settings *settings, const ngtcp2_transport_params *params,
    CNgtcp2_memory *memory, void *user_data
) {
    return ngtcp2_conn_client_new(
        connection, dcid, scid, path, NGTCP2_PROTO_VER_V1, callbacks, settings, params, &memory->functions, user_data
    );
}

static inline int CNgtcp2_conn_server_new(
    ngtcp2_conn **connection, const ngtcp2_cid *dcid, const ngtcp2_cid *scid, const ngtcp2_path *path,
    uint32_t version, const ngtcp2_callbacks *callbacks, const ngtcp2_settings *settings,
    const ngtcp2_transport_params *params, CNgtcp2_memory *memory, void *user_data
) {
    return ngtcp2_conn_server_new(
        connection, dcid, scid, path, version, callbacks, settings, params, &memory->functions, user_data
    );
}

static inline int CNgtcp2_conn_read_pkt(
    ngtcp2_conn *connection, const ngtcp2_path *path, uint8_t ecn, const uint8_t *packet, size_t length,
    ngtcp2_tstamp now
) {
    ngtcp2_pkt_info info = {0};
    info.ecn = ecn;
    return ngtcp2_conn_read_pkt(connection, path, &info, packet, length, now);
}

static inline ngtcp2_ssize CNgtcp2_conn_writev_stream(
    ngtcp2_conn *connection, ngtcp2_path *path, ngtcp2_pkt_info *info, uint8_t *buffer, size_t capacity,
    ngtcp2_ssize *accepted, uint32_t flags, int64_t stream_id, const ngtcp2_vec *vectors, size_t count,
    ngtcp2_tstamp now
) {
    return ngtcp2_conn_writev_stream(
        connection, path, info, buffer, capacity, accepted, flags, stream_id, vectors, count, now
    );
}

static inline ngtcp2_ssize CNgtcp2_conn_writev_datagram(
    ngtcp2_conn *connection, ngtcp2_path *path, ngtcp2_pkt_info *info, uint8_t *buffer, size_t capacity,
    int *accepted, uint32_t flags, uint64_t datagram_id, const ngtcp2_vec *vectors, size_t count, ngtcp2_tstamp now
) {
    return ngtcp2_conn_writev_datagram(
        connection, path, info, buffer, capacity, accepted, flags, datagram_id, vectors, count, now
    );
}

static inline int CNgtcp2_conn_shutdown_stream_read(ngtcp2_conn *connection, int64_t stream_id, uint64_t code) {
#if NGTCP2_VERSION_NUM < 0x010000
    return ngtcp2_conn_shutdown_stream_read(connection, stream_id, code);
#else
    return ngtcp2_conn_shutdown_stream_read(connection, 0, stream_id, code);
#endif
}

static inline int CNgtcp2_conn_shutdown_stream_write(ngtcp2_conn *connection, int64_t stream_id, uint64_t code) {
#if NGTCP2_VERSION_NUM < 0x010000
    return ngtcp2_conn_shutdown_stream_write(connection, stream_id, code);
#else
    return ngtcp2_conn_shutdown_stream_write(connection, 0, stream_id, code);
#endif
}

// MARK: Data before the handshake

/// Writes what a client remembers of a server's transport parameters (RFC 9000 § 7.4.1).
static inline ngtcp2_ssize CNgtcp2_conn_encode_0rtt_transport_params(
    ngtcp2_conn *connection, uint8_t *buffer, size_t capacity
) {
#if NGTCP2_VERSION_NUM < 0x010000
    const ngtcp2_transport_params *source = ngtcp2_conn_get_remote_transport_params(connection);
    ngtcp2_transport_params params;
    ngtcp2_transport_params_default(&params);
    params.initial_max_streams_bidi = source->initial_max_streams_bidi;
    params.initial_max_streams_uni = source->initial_max_streams_uni;
    params.initial_max_stream_data_bidi_local = source->initial_max_stream_data_bidi_local;
    params.initial_max_stream_data_bidi_remote = source->initial_max_stream_data_bidi_remote;
    params.initial_max_stream_data_uni = source->initial_max_stream_data_uni;
    params.initial_max_data = source->initial_max_data;
    params.active_connection_id_limit = source->active_connection_id_limit;
    params.max_datagram_frame_size = source->max_datagram_frame_size;
    return ngtcp2_encode_transport_params(
        buffer, capacity, NGTCP2_TRANSPORT_PARAMS_TYPE_ENCRYPTED_EXTENSIONS, &params
    );
#else
    return ngtcp2_conn_encode_0rtt_transport_params(connection, buffer, capacity);
#endif
}

/// Makes a new client connection assume them, so that it can send before the server has answered.
static inline int CNgtcp2_conn_decode_and_set_0rtt_transport_params(
    ngtcp2_conn *connection, const uint8_t *data, size_t length
) {
#if NGTCP2_VERSION_NUM < 0x010000
    ngtcp2_transport_params params;
    int result = ngtcp2_decode_transport_params(
        &params, NGTCP2_TRANSPORT_PARAMS_TYPE_ENCRYPTED_EXTENSIONS, data, length
    );
    if (result == 0) ngtcp2_conn_set_early_remote_transport_params(connection, &params);
    return result;
#else
    return ngtcp2_conn_decode_and_set_0rtt_transport_params(connection, data, length);
#endif
}

static inline int CNgtcp2_conn_tls_early_data_rejected(ngtcp2_conn *connection) {
#if NGTCP2_VERSION_NUM < 0x010000
    return ngtcp2_conn_early_data_rejected(connection);
#else
    return ngtcp2_conn_tls_early_data_rejected(connection);
#endif
}

static inline int CNgtcp2_is_1rtt(CNgtcp2_encryption_level level) { return level == CNGTCP2_LEVEL_1RTT; }

/// The recovery state of a connection (RFC 9002); durations in nanoseconds, windows in bytes.
typedef struct {
    uint64_t latest_rtt, min_rtt, smoothed_rtt, rttvar;
    uint64_t congestion_window, slow_start_threshold, bytes_in_flight;
} CNgtcp2_recovery;

static inline CNgtcp2_recovery CNgtcp2_conn_get_recovery(ngtcp2_conn *connection) {
#if NGTCP2_VERSION_NUM < 0x010000
    ngtcp2_conn_stat source;
    ngtcp2_conn_get_conn_stat(connection, &source);
#else
    ngtcp2_conn_info source;
    ngtcp2_conn_get_conn_info(connection, &source);
#endif
    CNgtcp2_recovery recovery = {
        source.latest_rtt, source.min_rtt, source.smoothed_rtt, source.rttvar,
        source.cwnd, source.ssthresh, source.bytes_in_flight,
    };
    return recovery;
}

// MARK: Closing

static inline void CNgtcp2_ccerr_default(CNgtcp2_ccerr *error) { CNGTCP2_CCERR_DEFAULT(error); }

static inline void CNgtcp2_ccerr_set_library_error(CNgtcp2_ccerr *error, int code) {
    CNGTCP2_CCERR_SET_LIBERR(error, code, NULL, 0);
}

static inline void CNgtcp2_ccerr_set_tls_alert(CNgtcp2_ccerr *error, uint8_t alert) {
    CNGTCP2_CCERR_SET_TLS_ALERT(error, alert, NULL, 0);
}

static inline void CNgtcp2_ccerr_set_application_error(
    CNgtcp2_ccerr *error, uint64_t code, const uint8_t *reason, size_t length
) {
    CNGTCP2_CCERR_SET_APPLICATION(error, code, reason, length);
}

static inline int CNgtcp2_ccerr_is_application(const CNgtcp2_ccerr *error) {
    return error->type == CNGTCP2_CCERR_TYPE_APPLICATION;
}

/// The error with which the peer closed the connection; its reason lives as long as the connection.
static inline void CNgtcp2_conn_get_ccerr(ngtcp2_conn *connection, CNgtcp2_ccerr *error) {
#if NGTCP2_VERSION_NUM < 0x010000
    ngtcp2_conn_get_connection_close_error(connection, error);
#else
    *error = *ngtcp2_conn_get_ccerr(connection);
#endif
}

static inline ngtcp2_ssize CNgtcp2_conn_write_connection_close(
    ngtcp2_conn *connection, ngtcp2_path *path, ngtcp2_pkt_info *info, uint8_t *buffer, size_t capacity,
    const CNgtcp2_ccerr *error, ngtcp2_tstamp now
) {
    return ngtcp2_conn_write_connection_close(connection, path, info, buffer, capacity, error, now);
}

// MARK: Packets without a connection

static inline const uint8_t *CNgtcp2_pkt_hd_token(const ngtcp2_pkt_hd *header) {
#if NGTCP2_VERSION_NUM < 0x010000
    return header->token.base;
#else
    return header->token;
#endif
}

static inline size_t CNgtcp2_pkt_hd_token_length(const ngtcp2_pkt_hd *header) {
#if NGTCP2_VERSION_NUM < 0x010000
    return header->token.len;
#else
    return header->tokenlen;
#endif
}

// MARK: What a generation does not do

/// Before 0.14 the library never closes a unidirectional stream that the peer opened: no `stream_close` callback, and a
/// few hundred bytes that stay until the connection ends.
static inline int CNgtcp2_closes_peer_unidirectional_streams(void) { return NGTCP2_VERSION_NUM >= 0x000e00; }

/// Before 0.14 the library makes no stream of one whose first frame is its reset: a `stream_reset` callback without a
/// `stream_close`, and the credit for another stream goes out by itself.
static inline int CNgtcp2_makes_streams_of_resets(void) { return NGTCP2_VERSION_NUM >= 0x000e00; }

// MARK: Casted macros, which Swift does not import

enum {
    CNGTCP2_RETRY_TOKEN_MAGIC = NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY,
    CNGTCP2_MAX_RETRY_TOKEN_LENGTH = NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN,
    CNGTCP2_MAX_REGULAR_TOKEN_LENGTH = NGTCP2_CRYPTO_MAX_REGULAR_TOKENLEN,
    CNGTCP2_STATELESS_RESET_TOKEN_LENGTH = NGTCP2_STATELESS_RESET_TOKENLEN,
    CNGTCP2_MAX_CONNECTION_ID_LENGTH = NGTCP2_MAX_CIDLEN,
    CNGTCP2_VERSION_1 = NGTCP2_PROTO_VER_V1,
};

#endif
