/// The names of application protocols in WT-Available-Protocols and WT-Protocol (draft-ietf-webtrans-http3 § 3.3).
///
/// Structured fields (RFC 8941): a list of strings, and a string. Anything else makes a field void as a whole.
package enum ProtocolNames {
    /// The names in a list; nil when it is malformed, or has a member that is no string.
    package static func parse(list: String) -> [String]? {
        var parser = Parser(list)
        return parser.list()
    }

    /// The name in an item; nil when it is malformed, or no string.
    package static func parse(item: String) -> String? {
        var parser = Parser(item)
        return parser.wholeItem()
    }

    /// A string as a structured field writes it (RFC 8941 § 4.1.6).
    package static func serialize(_ name: String) -> String {
        "\"" + name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// RFC 8941 § 4.2.
    private struct Parser {
        private var rest: Substring.UTF8View

        init(_ text: String) {
            self.rest = Substring(text).utf8
            self.skip { $0 == UInt8(ascii: " ") }
        }

        mutating func list() -> [String]? {
            var names: [String] = []
            guard !self.rest.isEmpty else { return names }
            while true {
                guard let name = self.string(), self.parameters() else { return nil }
                names.append(name)
                self.skipWhitespace()
                if self.rest.isEmpty { return names }
                guard self.take(",") else { return nil }
                self.skipWhitespace()
                // RFC 8941 § 4.2.1: no comma at the end.
                guard !self.rest.isEmpty else { return nil }
            }
        }

        mutating func wholeItem() -> String? {
            guard let name = self.string(), self.parameters() else { return nil }
            self.skip { $0 == UInt8(ascii: " ") }
            return self.rest.isEmpty ? name : nil
        }

        private mutating func string() -> String? {
            guard self.take("\"") else { return nil }
            var bytes: [UInt8] = []
            while let byte = self.rest.popFirst() {
                switch byte {
                case UInt8(ascii: "\""):
                    return String(decoding: bytes, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard let escaped = self.rest.popFirst() else { return nil }
                    guard escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\") else { return nil }
                    bytes.append(escaped)
                case 0x20...0x7e:
                    bytes.append(byte)
                default:
                    return nil
                }
            }
            return nil
        }

        /// They mean nothing here, but must be well-formed.
        private mutating func parameters() -> Bool {
            while self.take(";") {
                self.skip { $0 == UInt8(ascii: " ") }
                guard let first = self.rest.first, Self.isLowerCase(first) || first == UInt8(ascii: "*") else {
                    return false
                }
                self.skip(while: Self.isKeyCharacter)
                if self.take("="), !self.bareItem() { return false }
            }
            return true
        }

        private mutating func bareItem() -> Bool {
            switch self.rest.first {
            case UInt8(ascii: "\""): return self.string() != nil
            case UInt8(ascii: ":"):
                self.rest.removeFirst()
                self.skip { Self.isAlphanumeric($0) || "+/=".utf8.contains($0) }
                return self.take(":")
            case UInt8(ascii: "?"):
                self.rest.removeFirst()
                return self.take("0") || self.take("1")
            default:
                // A token or a number.
                let count = self.rest.count
                self.skip { Self.isAlphanumeric($0) || "!#$%&'*+-.^_`|~:/".utf8.contains($0) }
                return self.rest.count < count
            }
        }

        private static func isLowerCase(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        }

        private static func isAlphanumeric(_ byte: UInt8) -> Bool {
            Self.isLowerCase(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }

        private static func isKeyCharacter(_ byte: UInt8) -> Bool {
            Self.isLowerCase(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || "_-.*".utf8.contains(byte)
        }

        private mutating func skipWhitespace() {
            self.skip { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        }

        private mutating func skip(while isSkipped: (UInt8) -> Bool) {
            self.rest = self.rest.drop(while: isSkipped)
        }

        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard let first = self.rest.first, first == UInt8(ascii: character) else { return false }
            self.rest.removeFirst()
            return true
        }
    }
}
