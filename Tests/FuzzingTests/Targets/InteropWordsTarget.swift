import NIOCore

@testable import ApusServer

extension FuzzTarget {
    /// What a peer of quic-interop-runner's asks for, and what it hands over.
    static let interopWords = FuzzTarget("interop-words") { input in
        if let name = try? InteropExchange.name(inRequest: ByteBuffer(bytes: input)) {
            try require(InteropFiles.isSafe(name), "only a file below its endpoint is given away")
        }
        var rest = ByteBuffer(bytes: input)
        guard let name = try? InteropExchange.takePush(&rest) else { return }
        try require(InteropFiles.isSafe(name), "only a file below its endpoint is written")
        try requireEqual(
            Array("PUSH \(name)\n".utf8) + rest.bytes,
            Array(input),
            "the words and the content, and what came"
        )
    }
}
