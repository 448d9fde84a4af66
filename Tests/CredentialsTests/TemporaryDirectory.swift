import Glibc
import Testing

/// A directory that is removed, with what is in it, when the test lets go of it.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/apus-tests-XXXXXX".utf8CString)
        let made = try #require(mkdtemp(&template))
        self.path = String(cString: made)
    }

    deinit { Self.removeTree(self.path) }

    private static func removeTree(_ path: String) {
        for name in Self.names(at: path) { Self.removeTree("\(path)/\(name)") }
        remove(path)
    }

    /// Writes a file and returns its path.
    func file(_ name: String, _ content: String) throws -> String {
        let path = "\(self.path)/\(name)"
        let file = try #require(fopen(path, "w"))
        fputs(content, file)
        fclose(file)
        return path
    }

    /// The names of the files in a subdirectory, sorted.
    func names(in subdirectory: String) -> [String] { Self.names(at: "\(self.path)/\(subdirectory)") }

    private static func names(at path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}
