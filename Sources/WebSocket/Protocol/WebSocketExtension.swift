/// One member of `Sec-WebSocket-Extensions` (RFC 6455 § 9.1).
struct WebSocketExtension: Hashable, Sendable {
    struct Parameter: Hashable, Sendable {
        var name: String
        var value: String?
    }

    var name: String
    var parameters: [Parameter] = []

    /// The members of all fields with the name, in order; nil when they do not follow the grammar, which fails the
    /// connection.
    static func parse(_ values: [String]) -> [WebSocketExtension]? {
        var all: [WebSocketExtension] = []
        for value in values {
            var parser = Parser(value.utf8[...])
            guard let members = parser.list() else { return nil }
            all += members
        }
        return all
    }

    private struct Parser {
        private var rest: Substring.UTF8View

        init(_ text: Substring.UTF8View) { self.rest = text }

        /// Empty members are allowed between commas, as in every list of HTTP (RFC 9110 § 5.6.1.2).
        mutating func list() -> [WebSocketExtension]? {
            var members: [WebSocketExtension] = []
            while true {
                while self.take(",") {}
                if self.isAtEnd { return members }
                guard let member = self.member() else { return nil }
                members.append(member)
                guard self.isAtEnd || self.take(",") else { return nil }
            }
        }

        private mutating func member() -> WebSocketExtension? {
            guard let name = self.token() else { return nil }
            var member = WebSocketExtension(name: name)
            while self.take(";") {
                guard let name = self.token() else { return nil }
                var parameter = Parameter(name: name)
                if self.take("=") {
                    guard let value = self.take("\"") ? self.quoted() : self.token() else { return nil }
                    parameter.value = value
                }
                member.parameters.append(parameter)
            }
            return member
        }

        private var isAtEnd: Bool {
            mutating get {
                self.skipBlanks()
                return self.rest.isEmpty
            }
        }

        private mutating func skipBlanks() {
            self.rest = self.rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        }

        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            self.skipBlanks()
            guard self.rest.first == UInt8(ascii: character) else { return false }
            self.rest.removeFirst()
            return true
        }

        private mutating func token() -> String? {
            self.skipBlanks()
            let token = self.rest.prefix(while: Self.isTokenCharacter)
            guard !token.isEmpty else { return nil }
            self.rest = self.rest[token.endIndex...]
            return String(Substring(token))
        }

        /// What is in the quotes must be a token once it is unescaped (RFC 6455 § 9.1).
        private mutating func quoted() -> String? {
            var value: [UInt8] = []
            while var byte = self.rest.popFirst() {
                if byte == UInt8(ascii: "\"") { return value.isEmpty ? nil : String(decoding: value, as: UTF8.self) }
                if byte == UInt8(ascii: "\\") {
                    guard let escaped = self.rest.popFirst() else { return nil }
                    byte = escaped
                }
                guard Self.isTokenCharacter(byte) else { return nil }
                value.append(byte)
            }
            return nil
        }

        /// RFC 9110 § 5.6.2.
        private static func isTokenCharacter(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default:
                "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
        }
    }
}

extension WebSocketExtension: CustomStringConvertible {
    var description: String { ([self.name] + self.parameters.map(\.description)).joined(separator: "; ") }
}

extension WebSocketExtension.Parameter: CustomStringConvertible {
    var description: String { self.value.map { "\(self.name)=\($0)" } ?? self.name }
}
