import Glibc

/// A host as certificates and TLS tell them apart: by name or by address.
enum Host: Hashable {
    /// Without the root's trailing dot, which SNI does not carry (RFC 6066 § 3).
    case name(String)
    /// The 4 or 16 bytes of an address, and its text without brackets.
    case address([UInt8], text: String)

    /// Reads a DNS name, an IPv4 literal, or an IPv6 literal with or without brackets. Nil when it is none of them.
    init?(_ text: String) {
        var text = text
        if text.hasPrefix("[") && text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
        if let bytes = Self.parse(text, family: AF_INET, size: 4) ?? Self.parse(text, family: AF_INET6, size: 16) {
            self = .address(bytes, text: text)
            return
        }
        if text.hasSuffix(".") { text.removeLast() }
        // RFC 1035 § 2.3.4 limits a name to 255 octets on the wire, 253 in text. Internationalised names are left to
        // GnuTLS, which converts them.
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        let isName = labels.allSatisfy { label in
            !label.isEmpty && label.utf8.count <= 63 && label.unicodeScalars.allSatisfy(Self.isAllowed)
        }
        guard isName, text.utf8.count <= 253 else { return nil }
        self = .name(text)
    }

    /// An address by its 4 or 16 bytes; nil when there are more or fewer.
    init?(address bytes: [UInt8]) {
        let family: Int32
        switch bytes.count {
        case 4: family = AF_INET
        case 16: family = AF_INET6
        default: return nil
        }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return nil }
        self = .address(bytes, text: text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
    }

    /// As it is given to `init(_:)`.
    var text: String {
        switch self {
        case .name(let name): name
        case .address(_, let text): text
        }
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_", "*": true
        default: !scalar.isASCII
        }
    }

    private static func parse(_ text: String, family: Int32, size: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: size)
        return inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }
}
