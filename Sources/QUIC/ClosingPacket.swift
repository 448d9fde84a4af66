/// The packet that says that a connection is closed, and when it is said again (RFC 9000 § 10.2.1).
///
/// What arrives for a closed connection is not read, and may come from anybody. So the first, second, fourth, eighth …
/// datagram is answered, which a peer that has missed the packet needs, and two ends that answer each other soon stop.
struct ClosingPacket {
    let bytes: [UInt8]
    let path: NetworkPath
    /// Whether it is to be sent.
    private(set) var isDue = true
    private var arrivalCount = 0
    private var nextAnsweredArrival = 1
    /// Bytes that may still go to an address that is not proved: three times what came from there (§ 8.1); nil where it
    /// is.
    private var allowance: Int?

    /// A packet that has not been sent. The library has made sure that it may be.
    init(_ bytes: [UInt8], on path: NetworkPath, isAddressProved: Bool) {
        self.bytes = bytes
        self.path = path
        self.allowance = isAddressProved ? nil : 0
    }

    /// A datagram has come for the connection.
    mutating func arrived(_ byteCount: Int, from remote: NetworkAddress) {
        self.arrivalCount += 1
        if let allowance = self.allowance, remote == self.path.remote { self.allowance = allowance + 3 * byteCount }
        guard !self.isDue, self.arrivalCount >= self.nextAnsweredArrival else { return }
        if let allowance = self.allowance {
            guard allowance >= self.bytes.count else { return }
            self.allowance = allowance - self.bytes.count
        }
        self.nextAnsweredArrival *= 2
        self.isDue = true
    }

    mutating func sent() {
        self.isDue = false
    }
}
