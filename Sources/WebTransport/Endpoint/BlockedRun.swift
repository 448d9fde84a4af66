import QUIC

/// A run that the socket had no room for, or what is left of it.
struct BlockedRun {
    var bytes: [UInt8]
    let path: NetworkPath
    let ecn: UInt8
    let segmentSize: Int

    init(_ run: Transmit, from position: Int) {
        self.bytes = Array(run.bytes[position...])
        self.path = run.path
        self.ecn = run.ecn
        self.segmentSize = run.segmentSize
    }
}
