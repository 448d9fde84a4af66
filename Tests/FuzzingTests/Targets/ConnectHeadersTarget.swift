import HTTPSemantics
import WebTransportCore

extension FuzzTarget {
    /// The texts in a request for a session: the URL, the origin, the names of protocols. A line break separates what
    /// goes into two of them.
    static let connectHeaders = FuzzTarget("connect-headers") { input in
        let text = String(decoding: input, as: UTF8.self)
        let lines = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        try Self.checkProtocolNames(lines[0])
        try Self.checkURL(lines[0])
        try Self.checkOrigin(lines[0], authority: lines.count > 1 ? lines[1] : nil)
    }

    private static func checkProtocolNames(_ text: String) throws {
        if let names = ProtocolNames.parse(list: text) {
            let again = names.map(ProtocolNames.serialize).joined(separator: ", ")
            try requireEqual(ProtocolNames.parse(list: again), names, "names written and read, and themselves")
            // A string is two quotes at least.
            try require(names.count * 2 <= text.utf8.count, "there are no more names than characters for them")
        }
        if let name = ProtocolNames.parse(item: text) {
            try requireEqual(ProtocolNames.parse(list: text), [name], "an item as a list, and as an item")
        }
        let isPrintable = text.utf8.allSatisfy { (0x20...0x7e).contains($0) }
        try requireEqual(
            ProtocolNames.parse(item: ProtocolNames.serialize(text)),
            isPrintable ? text : nil,
            "a name written and read, and itself when RFC 8941 § 3.3.3 allows it"
        )
    }

    private static func checkURL(_ text: String) throws {
        guard let url = SessionURL(text) else { return }
        try require((1...65_535).contains(url.port), "a port is a number from 1 to 65535")
        try require(url.path.hasPrefix("/"), "a path begins with /")
        try require(!url.host.isEmpty, "a URL has a host")
        let again = "\(url.scheme)://\(url.authority)\(url.path)"
        try requireEqual(SessionURL(again), url, "a URL written and read, and itself")
    }

    private static func checkOrigin(_ origin: String, authority: String?) throws {
        do throws(OriginPolicy.Refusal) {
            try OriginPolicy().check(origin: origin, authority: authority)
        } catch {
            try require(
                !OriginPolicy.isOrigin(origin) || Self.passes(origin, on: [origin]),
                "what can stand on the list is let through by it"
            )
            return
        }
        // Without a list, only the host's own pages.
        guard let authority, let end = origin.firstRange(of: "://")?.upperBound else {
            throw InvariantViolation(
                description: "\(origin.debugDescription) passes as an origin of \(authority ?? "nobody")"
            )
        }
        let scheme = origin[..<end].lowercased()
        try require(scheme == "https://" || scheme == "http://", "only pages of HTTP have a host")
        try requireEqual(
            Self.host(String(origin[end...])),
            Self.host(authority),
            "the host of an origin that passes, and of the authority"
        )
    }

    private static func passes(_ origin: String, on list: Set<String>) -> Bool {
        do throws(OriginPolicy.Refusal) {
            try OriginPolicy(allowedOrigins: list).check(origin: origin, authority: nil)
            return true
        } catch {
            return false
        }
    }

    /// What stands before the port.
    private static func host(_ authority: String) -> String {
        var text = authority.lowercased()
        if text.hasSuffix("/") { text.removeLast() }
        let digits = text.reversed().prefix { $0.isWholeNumber }
        let rest = text.dropLast(digits.count)
        return rest.hasSuffix(":") && !text.hasSuffix("]") ? String(rest.dropLast()) : text
    }
}
