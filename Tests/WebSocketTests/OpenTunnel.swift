import HTTPSemantics
import NIOCore

/// A tunnel that takes whatever is written.
final class OpenTunnel: Tunnel {
    let isWritable = true
    let progress = 0

    func write(_ bytes: ByteBuffer) {}
    func flush() {}
    func finish() {}
    func abort() {}
    func resumeReading() {}
}
