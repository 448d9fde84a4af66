import Glibc
import QUIC

/// One connection's qlog in a file of its own. Written through the C library's buffer, on the connection's loop: qlog is
/// for looking into a problem, not for production.
final class QlogFile {
    private let file: UnsafeMutablePointer<FILE>

    /// Nil when the file cannot be made: a connection is worth more than its log.
    init?(directory: String, connectionID: ConnectionID, isServer: Bool) {
        let path = "\(directory)/\(connectionID)-\(isServer ? "server" : "client").sqlog"
        guard let file = fopen(path, "w") else { return nil }
        self.file = file
    }

    deinit {
        fclose(self.file)
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        if bytes.isEmpty {
            fflush(self.file)
        } else {
            fwrite(bytes.baseAddress, 1, bytes.count, self.file)
        }
    }
}
