import HTTP3
import HTTPTypes
import NIOCore

/// A client and a server in memory. What one writes the other reads, in chunks of a chosen size.
final class HTTP3Pair {
    let client: HTTP3Connection
    let server: HTTP3Connection
    private(set) var clientEvents: [HTTP3Event] = []
    private(set) var serverEvents: [HTTP3Event] = []
    /// All bytes that were written, by stream.
    private(set) var fromClient: [Int64: ByteBuffer] = [:]
    private(set) var fromServer: [Int64: ByteBuffer] = [:]
    /// Flow-control credit that each reader has returned, by stream.
    private(set) var creditAtServer: [Int64: Int] = [:]
    private(set) var creditAtClient: [Int64: Int] = [:]
    private let chunkSize: Int

    static let additionalSettings = [0x08, 0x33, 0x2b60_3742, 0xc671_706a, 0x14e9_cd29].map {
        Setting(.init(rawValue: $0), 1)
    }

    init(chunkSize: Int = .max) throws {
        self.chunkSize = chunkSize
        self.client = try HTTP3Connection(isServer: false, additionalSettings: Self.additionalSettings)
        self.server = try HTTP3Connection(isServer: true, additionalSettings: Self.additionalSettings)
        try self.client.bind(control: 2, encoder: 6, decoder: 10)
        try self.server.bind(control: 3, encoder: 7, decoder: 11)
    }

    /// Exchanges bytes until neither end has more to say.
    func run() throws {
        while try self.transmit(fromServer: false) || self.transmit(fromServer: true) {}
    }

    private func transmit(fromServer: Bool) throws -> Bool {
        let sender = fromServer ? self.server : self.client
        guard let output = try sender.nextOutput() else { return false }
        if fromServer {
            self.fromServer[output.streamID, default: ByteBuffer()].writeImmutableBuffer(output.bytes)
        } else {
            self.fromClient[output.streamID, default: ByteBuffer()].writeImmutableBuffer(output.bytes)
        }
        try self.deliver(output.bytes, on: output.streamID, isFinal: output.isFinal, toServer: !fromServer)
        return true
    }

    /// Gives one end bytes that the other did not write.
    func deliver(_ bytes: ByteBuffer, on streamID: Int64, isFinal: Bool = false, toServer: Bool) throws {
        let receiver = toServer ? self.server : self.client
        var rest = bytes
        repeat {
            // Not nil: at most what is readable.
            let chunk = rest.readSlice(length: min(self.chunkSize, rest.readableBytes))!
            try receiver.receive(chunk, on: streamID, isFinal: isFinal && rest.readableBytes == 0)
        } while rest.readableBytes > 0
        while let event = receiver.nextEvent() {
            // Whoever takes data returns its credit: here at once.
            if case .data(let id, let bytes) = event {
                if toServer {
                    self.creditAtServer[id, default: 0] += bytes.readableBytes
                } else {
                    self.creditAtClient[id, default: 0] += bytes.readableBytes
                }
            }
            if toServer { self.serverEvents.append(event) } else { self.clientEvents.append(event) }
        }
        while let credit = receiver.nextCredit() {
            if toServer {
                self.creditAtServer[credit.streamID, default: 0] += credit.count
            } else {
                self.creditAtClient[credit.streamID, default: 0] += credit.count
            }
        }
    }
}

extension [HTTP3Event] {
    var requests: [(Int64, HTTPRequest)] {
        self.compactMap { if case .request(let id, let request) = $0 { (id, request) } else { nil } }
    }

    var responses: [(Int64, HTTPResponse)] {
        self.compactMap { if case .response(let id, let response) = $0 { (id, response) } else { nil } }
    }

    func data(of id: Int64) -> ByteBuffer {
        var all = ByteBuffer()
        for case .data(id, let bytes) in self { all.writeImmutableBuffer(bytes) }
        return all
    }

    func ended(_ id: Int64) -> Bool {
        self.contains { if case .end(id) = $0 { true } else { false } }
    }

    /// The code with which a stream is to be given up: receiving and sending.
    func demands(of id: Int64) -> (stop: UInt64?, reset: UInt64?) {
        var demands: (stop: UInt64?, reset: UInt64?)
        for event in self {
            if case .stopDemanded(id, let code) = event { demands.stop = code }
            if case .resetDemanded(id, let code) = event { demands.reset = code }
        }
        return demands
    }
}
