import Foundation
import Testing

@Suite("Inputs of the fuzzer")
struct ReplayTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()

    /// One committed input.
    struct Input: CustomTestStringConvertible, Sendable {
        let target: FuzzTarget
        let file: URL
        var testDescription: String { "\(self.target.name)/\(self.file.lastPathComponent)" }
    }

    private static func inputs(in kind: String) -> [Input] {
        FuzzTarget.all.flatMap { target in
            let folder = Self.folder.appending(path: kind).appending(path: target.name)
            // A target that has never failed has no folder of failures.
            let files =
                (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
            return files.map { Input(target: target, file: $0) }
        }
    }

    private static func replay(_ input: Input) throws {
        let bytes = try Data(contentsOf: input.file)
        try bytes.withUnsafeBytes { try input.target.check($0) }
    }

    @Test("Every seed keeps its target's invariants", arguments: Self.inputs(in: "Corpus"))
    func seed(_ input: Input) throws {
        try Self.replay(input)
    }

    @Test("Every input that ever failed keeps its target's invariants", arguments: Self.inputs(in: "Regressions"))
    func regression(_ input: Input) throws {
        try Self.replay(input)
    }

    @Test("Every target has seeds, and an empty input is one like any other", arguments: FuzzTarget.all.map(\.name))
    func everyTarget(_ name: String) throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        #expect(Self.inputs(in: "Corpus").contains { $0.target.name == name })
        try target.check(UnsafeRawBufferPointer(start: nil, count: 0))
    }

    @Test("Inputs belong to a target, and are small", arguments: ["Corpus", "Regressions"])
    func folders(_ kind: String) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.appending(path: kind).path())
        #expect(Set(names).subtracting(["README.md"]).isSubset(of: FuzzTarget.all.map(\.name)))
        for input in Self.inputs(in: kind) {
            let size = try #require(input.file.resourceValues(forKeys: [.fileSizeKey]).fileSize)
            #expect(size < 4096, "\(input.testDescription)")
        }
    }
}
