/// Why there is no measurement.
public struct BenchmarkError: Error, Sendable, CustomStringConvertible {
    public struct Code: Hashable, Sendable {
        private enum Value {
            case usage, unavailable, protocolViolation, notResumed, cannotCreate, inputOutput
            case unreadable
        }
        private let value: Value
        private init(_ value: Value) { self.value = value }

        /// The settings make no sense, or not for this target.
        public static var usage: Self { Self(.usage) }
        /// The server does not answer, refuses, does not start, or went away.
        public static var unavailable: Self { Self(.unavailable) }
        /// What came back is not what was sent.
        public static var protocolViolation: Self { Self(.protocolViolation) }
        /// A handshake that was to continue an earlier session did not.
        static var notResumed: Self { Self(.notResumed) }
        /// A file of results cannot be read, or is none.
        public static var unreadable: Self { Self(.unreadable) }
        /// The output file cannot be made.
        public static var cannotCreate: Self { Self(.cannotCreate) }
        /// The output file could be made and not be written.
        public static var inputOutput: Self { Self(.inputOutput) }
    }

    public var code: Code
    /// One sentence that says what to do.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { self.message }
}
