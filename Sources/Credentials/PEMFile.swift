import Glibc

/// Reads and writes the small files that hold certificates and keys.
enum PEMFile {
    /// More than any chain needs; a larger file is a mistake and is not read into memory.
    static let maximumSize = 1 << 20

    /// - Parameter content: what should be in the file, for the message.
    static func read(_ path: String, holding content: String) throws(CredentialsError) -> [UInt8] {
        func unreadable(_ reason: String) -> CredentialsError {
            CredentialsError(
                code: .unreadable,
                message: "cannot read the \(content) file \(path): \(reason); check the path and its permissions"
            )
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(systemError()) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(systemError()) }
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= Self.maximumSize else { throw unreadable("larger than \(Self.maximumSize) bytes") }
        }
    }

    /// Replaces a set of files in `directory`, which is made when it does not exist.
    ///
    /// Each file is written under another name, with its mode from the moment it exists, and renamed when all are
    /// complete: a reader sees the old or the new content, and a failure leaves the old files as they were.
    static func write(
        _ files: [(name: String, content: String, mode: mode_t)],
        to directory: String
    ) throws(CredentialsError) {
        guard !directory.isEmpty else {
            throw CredentialsError(
                code: .invalidRequest,
                message: "the directory for \(files[0].name) has no name; write . for the one you are in"
            )
        }
        try Self.makeDirectory(directory)
        let suffix = String(UInt64.random(in: .min ... .max), radix: 16)
        let staged = files.map { (temporary: "\(directory)/.\($0.name).\(suffix)", final: "\(directory)/\($0.name)") }
        defer {
            // Gone already when all went well.
            for file in staged { unlink(file.temporary) }
        }
        for (file, paths) in zip(files, staged) {
            try Self.create(paths.temporary, content: Array(file.content.utf8), mode: file.mode)
        }
        for paths in staged where rename(paths.temporary, paths.final) != 0 {
            throw Self.unwritable(paths.final)
        }
    }

    private static func create(_ path: String, content: [UInt8], mode: mode_t) throws(CredentialsError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw Self.unwritable(path) }
        defer { close(descriptor) }
        var written = 0
        while written < content.count {
            let count = content.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress! + written, bytes.count - written)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw Self.unwritable(path) }
            written += count
        }
        // The rename must not reach the disk before the content does.
        guard fsync(descriptor) == 0 else { throw Self.unwritable(path) }
    }

    private static func makeDirectory(_ path: String) throws(CredentialsError) {
        var current = path.hasPrefix("/") ? "/" : ""
        for component in path.split(separator: "/") {
            current += component + "/"
            if mkdir(current, 0o755) != 0 && errno != EEXIST && errno != EISDIR { throw Self.unwritable(current) }
        }
    }

    private static func unwritable(_ path: String) -> CredentialsError {
        CredentialsError(
            code: .unwritable,
            message: "cannot write \(path): \(systemError()); choose another directory or correct its permissions"
        )
    }

    private static func systemError() -> String { String(cString: strerror(errno)) }
}
