import Foundation
package import HTTPSemantics
import HTTPTypes
import NIOCore

/// The lab page's files, read once.
package struct LabPage: Sendable {
    private let files: [String: ResourceResponse]

    /// - Throws: when the files that belong to the program are not beside it.
    package init() throws {
        guard let folder = ResourceFolder.find("Lab") else {
            throw ApusServerError(
                .missingFiles,
                "the folder apus_ApusServer.resources with the lab page is missing beside the program; keep them together, "
                    + "or build it again"
            )
        }
        var files: [String: ResourceResponse] = [:]
        for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) {
            guard let type = Self.mediaTypes[file.pathExtension] else { continue }
            var response = ResourceResponse(
                status: .ok,
                contentType: type,
                body: ByteBuffer(bytes: try Data(contentsOf: file))
            )
            response.head.headerFields[.cacheControl] = "no-cache"
            // An isolated page has a clock of 5 µs instead of 100 µs (W3C High Resolution Time § 4).
            response.head.headerFields[.init("cross-origin-opener-policy")!] = "same-origin"
            response.head.headerFields[.init("cross-origin-embedder-policy")!] = "require-corp"
            response.head.headerFields[.init("x-content-type-options")!] = "nosniff"
            files[file.lastPathComponent] = response
        }
        self.files = files
    }

    private static let mediaTypes = [
        "html": "text/html; charset=utf-8",
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    ]

    /// `/` is the page; `/lab/NAME` a file of it. A table look-up: no path leads out of it.
    package func response(for path: String) -> ResourceResponse? {
        if path == "/" { return self.files["index.html"] }
        guard path.hasPrefix("/lab/") else { return nil }
        return self.files[String(path.dropFirst("/lab/".count))]
    }
}
