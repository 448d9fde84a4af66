/// Why the server does not start.
public struct ApusServerError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public struct Code: Hashable, Sendable {
        private enum Value { case missingFiles, portUnavailable }
        private let value: Value
        private init(_ value: Value) { self.value = value }

        /// Files that belong to the program are not there.
        public static var missingFiles: Self { Self(.missingFiles) }
        /// A port is in use, or not allowed.
        public static var portUnavailable: Self { Self(.portUnavailable) }
    }

    /// What kind of failure it is.
    public var code: Code
    /// One sentence that says what to do.
    public var message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { self.message }
}
