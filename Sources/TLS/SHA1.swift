import CGnuTLS

/// SHA-1, which WebSocket's opening handshake asks for (RFC 6455 § 4.2.2); it protects nothing there.
package enum SHA1 {
    package static func hash(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 20) { output, count in
            let result = gnutls_hash_fast(GNUTLS_DIG_SHA1, bytes, bytes.count, output.baseAddress)
            precondition(result == GNUTLS_E_SUCCESS, "SHA-1 is part of every GnuTLS and takes any input")
            count = 20
        }
    }
}
