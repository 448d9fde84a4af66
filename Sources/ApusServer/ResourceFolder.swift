import Foundation

/// Where the package's resources are: beside the program, or beside the library that a test runner has loaded.
///
/// SwiftPM's own accessor ends the process when they are missing, without a word that helps.
enum ResourceFolder {
    private static let name = "apus_ApusServer.resources"

    /// The folder of that name among the resources, or nil when it is missing.
    static func find(_ folder: String) -> URL? {
        Self.images.lazy
            .map { $0.deletingLastPathComponent().appendingPathComponent(Self.name).appendingPathComponent(folder) }
            .first { FileManager.default.fileExists(atPath: $0.path) }
    }

    private static var images: [URL] {
        [URL(fileURLWithPath: "/proc/self/exe"), Self.library].compactMap { $0?.resolvingSymlinksInPath() }
    }

    /// The file that this code was loaded from, by the kernel's table of what is mapped where (proc(5)).
    private static var library: URL? {
        let address = UInt(bitPattern: #dsohandle)
        // Without the table there is only the program.
        guard let maps = try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8) else { return nil }
        for line in maps.split(separator: "\n") {
            let bounds = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
            guard bounds.count == 2, (bounds[0]..<bounds[1]).contains(address), let path = line.firstIndex(of: "/")
            else {
                continue
            }
            return URL(fileURLWithPath: String(line[path...]))
        }
        return nil
    }
}
