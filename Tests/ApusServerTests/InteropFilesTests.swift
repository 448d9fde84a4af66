import Foundation
import NIOCore
import Testing

@testable import ApusServer

@Suite("Files of quic-interop-runner")
struct InteropFilesTests {
    @Test(
        "A name is one visible component of a path",
        arguments: ["a", "file1.txt", "a-b_c.bin", "...", ".hidden", "~"]
    )
    func safe(name: String) {
        #expect(InteropFiles.isSafe(name))
    }

    @Test(
        "What leads elsewhere is no name",
        arguments: [
            "", ".", "..", "/", "a/b", "../a", "/etc/passwd", "a b", "a\n", "a\0", "ü",
            String(repeating: "a", count: 256),
        ]
    )
    func unsafe(name: String) {
        #expect(!InteropFiles.isSafe(name))
    }

    @Test(
        "A session's path names its endpoint",
        arguments: [
            ("/one", "one"), ("/one/", "one"), ("/one/two?x", "one"), ("/", nil), ("", nil), ("/..", nil),
            ("/%2e%2e", "%2e%2e"),
        ] as [(String, String?)]
    )
    func endpoints(path: String, name: String?) {
        #expect(InteropExchange.endpoint(of: path) == name)
    }

    @Test("Files are read from one place and written to another, each below its endpoint")
    func readAndWrite() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: root) }
        let www = root.appending(path: "www")
        try FileManager.default.createDirectory(at: www.appending(path: "one"), withIntermediateDirectories: true)
        try Data("content".utf8).write(to: www.appending(path: "one/a"))
        try Data("secret".utf8).write(to: www.appending(path: "secret"))
        let downloads = root.appending(path: "downloads")
        let files = InteropFiles(www: www.path, downloads: downloads.path, endpoint: "one")
        #expect(files.read("a") == ByteBuffer(string: "content"))
        #expect(files.read("b") == nil)
        #expect(files.read("../secret") == nil)
        try files.write(ByteBuffer(string: "got"), to: "c")
        #expect(try Data(contentsOf: downloads.appending(path: "one/c")) == Data("got".utf8))
    }
}
