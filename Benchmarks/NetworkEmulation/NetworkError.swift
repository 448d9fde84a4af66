/// Why there is no emulated network.
public struct NetworkError: Error, Sendable, CustomStringConvertible {
    public struct Code: Hashable, Sendable {
        private enum Value { case usage, unreadable, unavailable, inputOutput }
        private let value: Value
        private init(_ value: Value) { self.value = value }

        /// The name is none, or a file's content is not what it must be.
        public static var usage: Self { Self(.usage) }
        /// A file cannot be read.
        public static var unreadable: Self { Self(.unreadable) }
        /// This machine does not let its users make one.
        public static var unavailable: Self { Self(.unavailable) }
        /// It was there and failed.
        public static var inputOutput: Self { Self(.inputOutput) }
    }

    public var code: Code
    /// One sentence that says what to do.
    public var message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { self.message }
}
