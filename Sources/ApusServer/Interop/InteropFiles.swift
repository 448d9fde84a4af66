import Foundation
import NIOCore

/// The files of one endpoint of quic-interop-runner: those it gives away, and where it puts those it gets.
struct InteropFiles: Sendable {
    /// The largest file of the runner's cases is 2 MiB.
    static let maxSize = 64 << 20

    private let www: URL
    private let downloads: URL

    /// - Parameter endpoint: a name that `isSafe`.
    init(www: String, downloads: String, endpoint: String) {
        self.www = URL(fileURLWithPath: www).appendingPathComponent(endpoint)
        self.downloads = URL(fileURLWithPath: downloads).appendingPathComponent(endpoint)
    }

    /// Whether a peer may name a file so: below its directory, and in it.
    static func isSafe(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && name.utf8.count <= 255
            && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") }
    }

    func contains(_ name: String) -> Bool {
        Self.isSafe(name) && FileManager.default.fileExists(atPath: self.www.appending(path: name).path)
    }

    /// Nil when there is no such file.
    func read(_ name: String) -> ByteBuffer? {
        guard Self.isSafe(name), let data = FileManager.default.contents(atPath: self.www.appending(path: name).path)
        else { return nil }
        return ByteBuffer(bytes: data)
    }

    func write(_ bytes: ByteBuffer, to name: String) throws {
        try FileManager.default.createDirectory(at: self.downloads, withIntermediateDirectories: true)
        try Data(bytes.readableBytesView).write(to: self.downloads.appending(path: name), options: .atomic)
    }
}
