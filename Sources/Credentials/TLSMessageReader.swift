/// Reads the fields of TLS messages (RFC 8446 § 3). Each verb gives nil when the message ends within the field.
package struct TLSMessageReader {
    private var rest: ArraySlice<UInt8>

    package init(_ message: some Collection<UInt8>) {
        self.rest = Array(message)[...]
    }

    package var isAtEnd: Bool { self.rest.isEmpty }

    /// An unsigned number of up to four bytes.
    package mutating func number(_ size: Int) -> UInt32? {
        guard self.rest.count >= size else { return nil }
        defer { self.rest = self.rest.dropFirst(size) }
        return self.rest.prefix(size).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// So many bytes that mean nothing here.
    package mutating func skip(_ count: Int) -> Void? {
        guard self.rest.count >= count else { return nil }
        self.rest = self.rest.dropFirst(count)
        return ()
    }

    /// A vector whose length stands in front of it.
    package mutating func vector(lengthSize: Int) -> TLSMessageReader? {
        guard let length = self.number(lengthSize), self.rest.count >= Int(length) else { return nil }
        defer { self.rest = self.rest.dropFirst(Int(length)) }
        return TLSMessageReader(self.rest.prefix(Int(length)))
    }
}
