import HTTPTypes
import NIOCore

@testable import HTTP3

extension FuzzTarget {
    /// HTTP/3 on the streams of one connection, with nghttp3 beneath: control, QPACK, requests or responses, and
    /// streams of unknown type.
    ///
    /// The first byte says which end is under test (bit 1) and whether the peer begins as it should (bit 0). Each
    /// further chunk begins with a byte that names a stream (three bits), its end (one bit) and its length (four bits;
    /// 15 means that another byte says it).
    static let http3Connection = FuzzTarget("http3-connection") { input in
        let script = HTTP3Script(input)
        var whole = try HTTP3Run(isServer: script.isServer)
        try whole.play(script, .whole)
        for cutting in Cutting.inPieces {
            var run = try HTTP3Run(isServer: script.isServer)
            try run.play(script, cutting)
            // What was given up is read no further, which whole chunks and pieces do at different places.
            let givenUp = whole.givenUp.union(run.givenUp)
            guard !givenUp.contains(where: HTTP3Run.hasFrames) else { continue }
            try requireEqual(
                run.hasFailed,
                whole.hasFailed,
                "whether the connection fails \(cutting), and with whole chunks"
            )
            guard !whole.hasFailed else { continue }
            try requireEqual(run.messages, whole.messages, "what arrives \(cutting), and with whole chunks")
            for (id, credit) in whole.credits where !givenUp.contains(id) {
                try requireEqual(run.credits[id], credit, "the credit of \(id) \(cutting), and with whole chunks")
            }
        }
    }
}

private struct HTTP3Script {
    struct Chunk {
        var streamID: Int64
        var bytes: [UInt8]
        var isFinal: Bool
    }

    var isServer: Bool
    var chunks: [Chunk] = []

    init(_ input: UnsafeRawBufferPointer) {
        let flags = input.first ?? 1
        self.isServer = flags & 2 == 0
        // Requests, or their responses; then control, QPACK's two, and two more of the peer's unidirectional streams.
        let unidirectional: Int64 = self.isServer ? 2 : 3
        let streams = [0, 4, 8] + (0..<5).map { unidirectional + 4 * $0 }
        if flags & 1 != 0 {
            // SETTINGS: extended CONNECT, datagrams, a table and blocked streams for QPACK.
            let settings: [UInt8] = [0x00, 0x04, 0x09, 0x08, 1, 0x33, 1, 0x01, 0x50, 0x00, 0x07, 16]
            self.chunks.append(Chunk(streamID: streams[3], bytes: settings, isFinal: false))
            self.chunks.append(Chunk(streamID: streams[4], bytes: [0x02], isFinal: false))
            self.chunks.append(Chunk(streamID: streams[5], bytes: [0x03], isFinal: false))
        }
        var rest = input.dropFirst()
        while let head = rest.popFirst() {
            let short = Int(head >> 4)
            let length = short < 15 ? short : Int(rest.popFirst() ?? 0)
            let bytes = Array(rest.prefix(length))
            rest = rest.dropFirst(length)
            self.chunks.append(
                Chunk(streamID: streams[Int(head & 7)], bytes: bytes, isFinal: head & 8 != 0)
            )
        }
    }
}

/// One end, and what has become of the peer's bytes.
private struct HTTP3Run {
    /// What arrived on one stream.
    struct Message: Equatable {
        var head: String?
        var data: [UInt8] = []
        var hasEnded = false
        var demands: [String] = []
    }

    private let connection: HTTP3Connection
    private let isServer: Bool
    private(set) var messages: [Int64: Message] = [:]
    private(set) var credits: [Int64: Int] = [:]
    private var given: [Int64: Int] = [:]
    private(set) var hasFailed = false
    /// Streams that take no more bytes.
    private var done: Set<Int64> = []
    /// Those of them that the library wanted to be stopped.
    private(set) var givenUp: Set<Int64> = []

    /// Requests and their responses; of the others only one has frames, which is never given up.
    static func hasFrames(_ id: Int64) -> Bool { id & 2 == 0 }

    init(isServer: Bool) throws {
        self.isServer = isServer
        self.connection = try HTTP3Connection(isServer: isServer, additionalSettings: [Setting(.h3Datagram, 1)])
        let first: Int64 = isServer ? 3 : 2
        try self.connection.bind(control: first, encoder: first + 4, decoder: first + 8)
        guard !isServer else { return }
        for id: Int64 in [0, 4, 8] {
            let request = HTTPRequest(method: .get, scheme: "https", authority: "localhost", path: "/")
            try self.connection.submit(request, on: id, isFinal: true)
        }
        try self.drainOutput()
    }

    mutating func play(_ script: HTTP3Script, _ cutting: Cutting) throws {
        do {
            for chunk in script.chunks where !self.done.contains(chunk.streamID) {
                try chunk.bytes.withUnsafeBytes { try self.deliver($0, chunk, cutting) }
            }
            try self.drainOutput()
        } catch let error as HTTP3Error {
            self.hasFailed = true
            // RFC 9114 § 8.1, RFC 9204 § 6.
            let code = error.code.rawValue
            try require(
                (0x101...0x110).contains(code) || (0x200...0x202).contains(code),
                "a connection ends with a code of HTTP/3's, not with \(error)"
            )
            try require(error.code != .internalError, "what the peer does wrong is no error of our own: \(error)")
        }
        try self.checkCredits()
        self.close()
    }

    private mutating func deliver(
        _ bytes: UnsafeRawBufferPointer,
        _ chunk: HTTP3Script.Chunk,
        _ cutting: Cutting
    ) throws {
        let id = chunk.streamID
        let pieces = cutting.pieces(of: bytes)
        for (index, piece) in pieces.enumerated() where !self.done.contains(id) {
            let isFinal = chunk.isFinal && index == pieces.count - 1
            if isFinal { self.done.insert(id) }
            self.given[id, default: 0] += piece.readableBytes
            try self.connection.receive(piece, on: id, isFinal: isFinal)
            try self.takeEvents()
        }
    }

    private mutating func takeEvents() throws {
        while let event = self.connection.nextEvent() {
            switch event {
            case .request(let id, let request):
                try require(self.isServer, "only a server gets requests")
                try self.begin(id, "\(request) \(request.headerFields)")
                try self.connection.submit(HTTPResponse(status: .ok), on: id, isFinal: false)
                self.connection.send(ByteBuffer(string: "hello"), on: id, isFinal: true)
            case .response(let id, let response):
                try require(!self.isServer, "only a client gets responses")
                try self.begin(id, "\(response) \(response.headerFields)")
            case .fieldsTooLarge(let id):
                try self.begin(id, "too large")
            case .data(let id, let bytes):
                try require(self.messages[id]?.head != nil, "data follows a header section")
                try require(self.messages[id]?.hasEnded == false, "no data follows the end")
                self.messages[id]?.data += bytes.bytes
            case .end(let id):
                try require(self.messages[id]?.hasEnded != true, "a message ends once")
                self.messages[id, default: Message()].hasEnded = true
            case .resetDemanded(let id, let code):
                self.messages[id, default: Message()].demands.append("reset \(code)")
                self.connection.stopWriting(id)
            case .stopDemanded(let id, let code):
                self.messages[id, default: Message()].demands.append("stop \(code)")
                self.connection.stopReading(id)
                self.done.insert(id)
                self.givenUp.insert(id)
            case .goaway:
                break
            }
        }
        while let credit = self.connection.nextCredit() {
            try require(credit.count > 0, "credit is something")
            self.credits[credit.streamID, default: 0] += credit.count
        }
    }

    private mutating func begin(_ id: Int64, _ head: String) throws {
        try require(self.messages[id]?.hasEnded != true, "no header section follows the end")
        try require(self.messages[id]?.head == nil, "a message has one header section")
        self.messages[id, default: Message()].head = head
    }

    private func drainOutput() throws {
        // A few streams' worth of frames; each call takes up to sixteen pieces.
        for _ in 0..<1000 {
            guard try self.connection.nextOutput() != nil else { return }
        }
        throw InvariantViolation(description: "there is no end to the output")
    }

    private func checkCredits() throws {
        for (id, credit) in self.credits {
            try require(
                credit <= self.given[id, default: 0],
                "no more credit than bytes: \(credit) for \(self.given[id, default: 0]) on stream \(id)"
            )
        }
        guard !self.hasFailed else { return }
        // A header section that waits for QPACK's table keeps its credit; elsewhere a byte may be held back for a
        // while.
        for (id, given) in self.given where id & 2 != 0 && !self.done.contains(id) {
            let missing = given - self.credits[id, default: 0]
            try require((0...1).contains(missing), "the credit of stream \(id) lacks \(missing) bytes of \(given)")
        }
    }

    private func close() {
        for id in self.given.keys {
            do throws(HTTP3Error) {
                try self.connection.streamClosed(id, code: .h3NoError)
            } catch {
                // The end of a critical stream is an error (RFC 9114 § 6.2.1).
            }
        }
    }
}
