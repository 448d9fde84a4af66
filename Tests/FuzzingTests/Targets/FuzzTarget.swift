/// A parser of a peer's bytes with the invariants that must hold for any of them.
///
/// The fuzzer calls `check` with inputs of its own (`scripts/fuzz`), and `ReplayTests` with those that are committed:
/// seeds, and every input that ever failed.
package struct FuzzTarget: Sendable {
    /// The name of its folders of inputs.
    package let name: String
    /// Throws `InvariantViolation`; anything else that is thrown, and every trap, is a failure just the same.
    package let check: @Sendable (UnsafeRawBufferPointer) throws -> Void

    init(_ name: String, _ check: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Void) {
        self.name = name
        self.check = check
    }

    package static let all: [FuzzTarget] = [
        .varints, .capsules, .settings, .streamHeaders, .datagramRouting, .http3Connection, .connectHeaders,
        .webSocketFrames, .webSocketExtensions, .deflate, .http1Server, .http2Server, .webSocketClient, .tlsServer,
        .tlsClient, .quicClient, .tlsMessages, .packetNumbers, .sessionFlowControl, .baton, .queries, .interopWords,
    ]
}

/// What does not hold for an input.
package struct InvariantViolation: Error, CustomStringConvertible {
    package let description: String
}

func require(_ holds: Bool, _ invariant: @autoclosure () -> String) throws(InvariantViolation) {
    guard holds else { throw InvariantViolation(description: invariant()) }
}

func requireEqual<Value: Equatable>(
    _ left: Value,
    _ right: Value,
    _ invariant: @autoclosure () -> String
) throws(InvariantViolation) {
    guard left == right else {
        throw InvariantViolation(description: "\(invariant()):\n  \(left)\n  \(right)")
    }
}
