import Foundation
import Glibc

/// A file of someone else's, read whole: a regular one, of limited size.
enum BoundedFile {
    /// - Throws: `NetworkError` with `unreadable`.
    static func read(_ path: String, limit: Int) throws(NetworkError) -> Data {
        // Opening a pipe without a writer would wait for one.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw NetworkError(.unreadable, "\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw NetworkError(.unreadable, "\(path) is not a regular file; name one")
        }
        var content = Data()
        var buffer = [UInt8](repeating: 0, count: 65_536)
        // The size that fstat tells is no bound: files grow, and those under /proc say zero.
        while content.count <= limit {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else {
                throw NetworkError(.unreadable, "\(path) cannot be read: \(String(cString: strerror(errno)))")
            }
            guard count > 0 else { return content }
            content.append(contentsOf: buffer[..<count])
        }
        throw NetworkError(.unreadable, "\(path) is larger than \(limit) bytes, which is all that is read")
    }
}
