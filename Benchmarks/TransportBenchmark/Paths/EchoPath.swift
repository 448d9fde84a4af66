import NIOCore

/// One open conversation with an echo endpoint: a message goes out, and the same comes back.
///
/// It belongs to one task, which runs on the session's event loop, so that no thread hop is measured.
protocol EchoPath {
    /// Sends a message and waits for its echo.
    /// - Throws: a `BenchmarkError` when the session has ended, or what the transport throws.
    @concurrent mutating func roundTrip(_ message: ByteBuffer) async throws -> Echo
}

/// What became of a message.
enum Echo: Sendable {
    /// The bytes that came back, whole, and when the program had them.
    case received(ByteBuffer, at: NIODeadline)
    /// Nothing came back in time.
    case lost
}

extension EchoPath {
    /// Makes round trips one after the other, and checks that each echo is what was sent.
    /// - Parameter firstNumber: the number of the first message; it must not repeat on a path.
    /// - Throws: `BenchmarkError` with `protocolViolation` when an echo differs.
    @concurrent mutating func roundTrips(
        _ count: Int,
        of messages: EchoMessage,
        from firstNumber: UInt64
    ) async throws -> TurnResult {
        var result = TurnResult()
        result.nanoseconds.reserveCapacity(count)
        for number in firstNumber..<firstNumber + UInt64(count) {
            try Task.checkCancellation()
            let message = messages.make(number)
            let start = NIODeadline.now()
            switch try await self.roundTrip(message) {
            case .received(let echo, let end):
                result.nanoseconds.append(UInt64(max(0, (end - start).nanoseconds)))
                guard echo == message else { throw BenchmarkError.mismatch(sent: message, received: echo) }
            case .lost:
                result.lost += 1
            }
        }
        return result
    }
}

extension BenchmarkError {
    static func mismatch(sent: ByteBuffer, received: ByteBuffer) -> Self {
        Self(
            .protocolViolation,
            "a message of \(sent.readableBytes) bytes came back changed, with \(received.readableBytes) bytes; the path of "
                + "the target must be an echo endpoint"
        )
    }

    static func ended(_ what: String) -> Self {
        Self(.unavailable, "the session ended while it was measured: \(what); see the server's log")
    }
}
