import CNgtcp2
package import NIOCore

/// The keys from which all endpoints of a server derive what they need not remember: stateless-reset tokens
/// (RFC 9000 § 10.3.2), Retry tokens (§ 8.1.2) and NEW_TOKEN tokens (§ 8.1.3).
///
/// One value serves all endpoints, so that each understands what another issued. Two keys, so that what one gives away
/// to peers says nothing of the other: that of tokens is random for each process; that of resets outlives it, since a
/// reset tells of connections whose state was lost.
package struct EndpointSecrets: Sendable {
    /// A Retry must come back within a handshake's time.
    private static let retryLifetime: UInt64 = 10_000_000_000
    /// A NEW_TOKEN spares a returning client the Retry for an hour.
    private static let newTokenLifetime: UInt64 = 3_600_000_000_000

    private let tokenKey = Self.randomKey()
    private let resetKey: [UInt8]

    /// - Parameter resetKey: at least 32 bytes that the server has again after a restart (RFC 9000 § 10.3.2); nil makes
    ///   resets that only this process's clients understand.
    package init(resetKey: [UInt8]? = nil) {
        self.resetKey = resetKey ?? Self.randomKey()
    }

    private static func randomKey() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            ConnectionID.fillWithRandom(UnsafeMutableRawBufferPointer(buffer))
            count = 32
        }
    }

    func withResetToken<Result>(for id: ConnectionID, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var libraryID = id.libraryID
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: CNGTCP2_STATELESS_RESET_TOKEN_LENGTH) {
            let result = ngtcp2_crypto_generate_stateless_reset_token(
                $0.baseAddress,
                self.resetKey,
                self.resetKey.count,
                &libraryID
            )
            precondition(result == 0, "a hash of a connection ID can be computed")
            return body(UnsafeRawBufferPointer($0))
        }
    }

    /// A token that lets a client with this address skip the Retry next time.
    func withNewToken(for remote: NetworkAddress, at now: NIODeadline, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: CNGTCP2_MAX_REGULAR_TOKEN_LENGTH) { token in
            let length = remote.withSockAddr { address, addressLength in
                ngtcp2_crypto_generate_regular_token(
                    token.baseAddress,
                    self.tokenKey,
                    self.tokenKey.count,
                    address,
                    addressLength,
                    now.uptimeNanoseconds
                )
            }
            // Failing to make one costs the client a round trip under load.
            if length > 0 { body(UnsafeBufferPointer(rebasing: token[..<length])) }
        }
    }

    /// A token for a Retry packet, bound to the client's address, the time, and both connection IDs.
    package func retryToken(
        for remote: NetworkAddress,
        version: UInt32,
        retrySourceID: ConnectionID,
        originalDestinationID: ConnectionID,
        at now: NIODeadline
    ) -> [UInt8] {
        var sourceID = retrySourceID.libraryID
        var originalID = originalDestinationID.libraryID
        return [UInt8](unsafeUninitializedCapacity: CNGTCP2_MAX_RETRY_TOKEN_LENGTH) { token, count in
            let length = remote.withSockAddr { address, addressLength in
                ngtcp2_crypto_generate_retry_token(
                    token.baseAddress,
                    self.tokenKey,
                    self.tokenKey.count,
                    version,
                    address,
                    addressLength,
                    &sourceID,
                    &originalID,
                    now.uptimeNanoseconds
                )
            }
            count = max(length, 0)
        }
    }

    /// What a token in an Initial packet proves.
    package enum TokenValidity: Hashable, Sendable {
        /// It came with our Retry: the address is proved, and this was the first destination ID.
        case retry(originalDestinationID: ConnectionID)
        /// A NEW_TOKEN of an earlier connection from the same address.
        case returning
        /// A Retry token that is forged, altered, too old, or from another address (RFC 9000 § 8.1.3: INVALID_TOKEN).
        case invalidRetry
        /// None, or a NEW_TOKEN that proves nothing; as if there were none.
        case none
    }

    package func validate(
        token: [UInt8],
        from remote: NetworkAddress,
        version: UInt32,
        destinationID: ConnectionID,
        at now: NIODeadline
    ) -> TokenValidity {
        guard let kind = token.first else { return .none }
        return remote.withSockAddr { address, addressLength in
            guard kind == UInt8(CNGTCP2_RETRY_TOKEN_MAGIC) else {
                let result = ngtcp2_crypto_verify_regular_token(
                    token,
                    token.count,
                    self.tokenKey,
                    self.tokenKey.count,
                    address,
                    addressLength,
                    Self.newTokenLifetime,
                    now.uptimeNanoseconds
                )
                return result == 0 ? .returning : .none
            }
            var originalID = ngtcp2_cid()
            var destinationID = destinationID.libraryID
            let result = ngtcp2_crypto_verify_retry_token(
                &originalID,
                token,
                token.count,
                self.tokenKey,
                self.tokenKey.count,
                version,
                address,
                addressLength,
                &destinationID,
                Self.retryLifetime,
                now.uptimeNanoseconds
            )
            return result == 0 ? .retry(originalDestinationID: ConnectionID(originalID)) : .invalidRetry
        }
    }
}
