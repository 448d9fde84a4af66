import Foundation

/// A directory that only this user can read, for the time of a measurement.
public struct TemporaryDirectory {
    public let path: String

    /// - Parameter parent: nil for the directory that is meant for such.
    /// - Throws: `BenchmarkError` with `cannotCreate`.
    public init(in parent: String? = nil) throws(BenchmarkError) {
        let parent = parent ?? ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        var template = Array("\(parent)/apus-bench-XXXXXX".utf8CString)
        let made = mkdtemp(&template).map { String(cString: $0) }
        guard let made else {
            throw BenchmarkError(
                .cannotCreate,
                "no temporary directory can be made in \(parent); set TMPDIR to one that is writable"
            )
        }
        self.path = made
    }

    /// The last line of a file in it; nil when there is none.
    func lastLine(of file: String) -> String? {
        // A log that cannot be read explains nothing.
        let text = (try? String(contentsOfFile: "\(self.path)/\(file)", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").last.map(String.init)
    }

    public func remove() {
        // One that is left behind does no harm.
        try? FileManager.default.removeItem(atPath: self.path)
    }
}
