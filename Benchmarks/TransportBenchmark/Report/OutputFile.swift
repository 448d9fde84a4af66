public import Foundation
import Glibc

/// A file that is written whole or not at all, and whose place is known to be writable beforehand.
///
/// A regular file appears by renaming, so that a reader never sees half of it. What is no regular file, such as a pipe
/// or `/dev/stdout`, is written directly.
public struct OutputFile: Sendable {
    private let path: String
    /// What the content is written to first; nil when it is written directly.
    private let temporaryPath: String?

    /// Makes sure that the file can be written.
    /// - Throws: `BenchmarkError` with `cannotCreate` that says why it cannot.
    public init(path: String) throws(BenchmarkError) {
        var status = stat()
        let exists = stat(path, &status) == 0
        if exists, status.st_mode & S_IFMT == S_IFDIR {
            throw BenchmarkError(.cannotCreate, "\(path) is a directory; name a file in it")
        }
        if exists, status.st_mode & S_IFMT != S_IFREG {
            guard access(path, W_OK) == 0 else { throw Self.cannotCreate(path, errno) }
            (self.path, self.temporaryPath) = (path, nil)
            return
        }
        // Renaming replaces a link; what it points to is meant.
        var target = path
        if exists, let resolved = realpath(path, nil) {
            target = String(cString: resolved)
            free(resolved)
        }
        let temporary = "\(target).\(getpid()).partial"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.cannotCreate(path, errno) }
        Glibc.close(descriptor)
        (self.path, self.temporaryPath) = (target, temporary)
    }

    /// Writes the content and puts it in its place.
    /// - Throws: `BenchmarkError` with `inputOutput`.
    public func write(_ content: Data) throws(BenchmarkError) {
        let descriptor = open(self.temporaryPath ?? self.path, O_WRONLY | O_TRUNC | O_CLOEXEC)
        guard descriptor >= 0 else { throw self.failed(errno) }
        var rest = content[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written >= 0 else {
                let error = errno
                Glibc.close(descriptor)
                throw self.failed(error)
            }
            rest = rest.dropFirst(written)
        }
        guard Glibc.close(descriptor) == 0 else { throw self.failed(errno) }
        if let temporaryPath = self.temporaryPath, rename(temporaryPath, self.path) != 0 { throw self.failed(errno) }
    }

    /// Leaves no trace of a file that was not written. Without effect after `write`.
    public func discard() {
        if let temporaryPath = self.temporaryPath { unlink(temporaryPath) }
    }

    private func failed(_ error: CInt) -> BenchmarkError {
        BenchmarkError(
            .inputOutput,
            "\(self.path) could not be written: \(String(cString: strerror(error))); the figures above are complete"
        )
    }

    private static func cannotCreate(_ path: String, _ error: CInt) -> BenchmarkError {
        BenchmarkError(
            .cannotCreate,
            "\(path) cannot be written: \(String(cString: strerror(error))); name a file in a directory that exists and "
                + "is yours"
        )
    }
}
