import NIOCore

extension BenchmarkError {
    /// So many are sent before a target is said to echo none: a network that loses every fifth datagram loses ten round
    /// trips in a row in one run of 27,000.
    static let firstDatagrams = 10

    static func noDatagrams(within time: TimeAmount) -> Self {
        Self(
            .unavailable,
            "none of \(Self.firstDatagrams) datagrams came back within \(time.nanoseconds / 1_000_000) ms; check that the target "
                + "echoes datagrams, or leave wt-datagram out of --transports"
        )
    }
}
