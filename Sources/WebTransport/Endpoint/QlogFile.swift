import Glibc
import QUIC

/// One connection's qlog in a file of its own. Written through the C library's buffer, on the connection's loop: qlog
/// is for looking into a problem, not for production.
final class QlogFile {
    private let file: UnsafeMutablePointer<FILE>

    /// Connections that one client may begin with the same ID before their logs go unwritten.
    private static let maxNamesakes = 16

    /// Nil when the file cannot be made: a connection is worth more than its log.
    init?(directory: String, connectionID: ConnectionID, isServer: Bool) {
        let name = "\(directory)/\(connectionID)-\(isServer ? "server" : "client")"
        let names = [name] + (2...Self.maxNamesakes).map { "\(name)-\($0)" }
        for name in names {
            // A client chooses the ID, and may choose that of another connection, whose log must stay.
            if let file = fopen("\(name).sqlog", "wx") {
                self.file = file
                return
            }
            guard errno == EEXIST else { return nil }
        }
        return nil
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
