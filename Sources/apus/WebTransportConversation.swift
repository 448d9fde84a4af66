import NIOCore
import WebTransport

/// `apus connect` over WebTransport: lines of input go out in one of three ways; all that arrives is shown.
struct WebTransportConversation: Sendable {
    /// How a line is sent.
    enum Outbound: Sendable {
        /// With its end, on one bidirectional stream.
        case stream
        /// As a datagram.
        case datagrams
        /// Each on a unidirectional stream of its own.
        case unidirectionalStreams
    }

    let session: WebTransportSession
    let console: ConnectConsole
    let outbound: Outbound

    /// Returns when the session has ended, by either side, and how.
    @concurrent func run(_ lines: StandardInputLines) async throws -> WebTransportSession.End {
        try await self.announce()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await datagram in self.session.datagrams {
                    self.console.arrived(PrintableText.text(datagram), over: "datagram")
                }
            }
            group.addTask { await self.showBidirectionalStreams() }
            group.addTask { await self.showUnidirectionalStreams() }
            group.addTask {
                do {
                    try await self.send(lines)
                    try await self.console.waitForAnswers()
                } catch is CancellationError {
                } catch let error as WebTransportError {
                    // The end of the session tells more than what failed because of it.
                    if error.code != .sessionClosed && error.code != .connectionClosed {
                        self.console.status("\(error)")
                    }
                }
                self.session.close()
            }
            defer { group.cancelAll() }
            return try await self.session.closed
        }
    }

    private func announce() async throws {
        let limit = try await self.session.datagrams.maxDatagramSize
        let subprotocol = self.session.subprotocol.map { "; subprotocol \(PrintableText.text($0))" } ?? ""
        let datagrams = limit == 0 ? "no datagrams" : "datagrams of at most \(limit) bytes"
        self.console.status("connected over WebTransport; \(datagrams)\(subprotocol)")
    }

    // MARK: Sending

    private func send(_ lines: StandardInputLines) async throws {
        switch self.outbound {
        case .stream: try await self.sendOnOneStream(lines)
        case .datagrams:
            for await line in lines { try await self.send(datagram: line) }
        case .unidirectionalStreams:
            for await line in lines {
                let stream = try await self.session.openUnidirectionalStream()
                try await stream.write(line)
                stream.finish()
            }
        }
    }

    private func send(datagram line: ByteBuffer) async throws {
        switch try await self.session.datagrams.send(line) {
        case .queued: break
        case .displacedOldest:
            self.console.status("an older datagram was dropped: they come faster than the network takes them")
        case .tooLarge:
            let limit = try await self.session.datagrams.maxDatagramSize
            self.console.status("a line of \(line.readableBytes) bytes was not sent: a datagram takes \(limit) at most")
        case .unavailable:
            self.console.status("a line was not sent: the server takes no datagrams")
        }
    }

    private func sendOnOneStream(_ lines: StandardInputLines) async throws {
        var input = lines.makeAsyncIterator()
        // Who says nothing has no stream on which an answer could be waited for.
        guard let first = await input.next() else { return }
        let stream = try await self.session.openBidirectionalStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.console.show(stream.inbound, over: "stream", isOwn: true) }
            do {
                var next: ByteBuffer? = first
                while var line = next {
                    line.writeInteger(UInt8(ascii: "\n"))
                    try await stream.outbound.write(line)
                    next = await input.next()
                }
                stream.outbound.finish()
                // Ends the wait for the stream's end when that takes too long.
                try await self.console.waitForAnswers()
            } catch {
                stream.inbound.stop()
                throw error
            }
            stream.inbound.stop()
        }
    }

    // MARK: Showing

    private func showUnidirectionalStreams() async {
        await withDiscardingTaskGroup { group in
            var number = 0
            for await stream in self.session.incomingUnidirectionalStreams {
                number += 1
                let way = "unidirectional \(number)"
                group.addTask { await self.console.show(stream, over: way) }
            }
        }
    }

    /// Streams that the server opens are read; there is nothing to answer.
    private func showBidirectionalStreams() async {
        await withDiscardingTaskGroup { group in
            var number = 0
            for await stream in self.session.incomingBidirectionalStreams {
                number += 1
                let way = "bidirectional \(number)"
                stream.outbound.finish()
                group.addTask { await self.console.show(stream.inbound, over: way) }
            }
        }
    }
}

extension ConnectConsole {
    /// A stream ended before its time. A reset without an application's code comes with the end of the session, which
    /// is told elsewhere.
    func streamFailed(_ way: String, _ error: any Error) {
        guard
            let error = error as? WebTransportError, error.code == .streamReset, error.applicationCode != nil
        else { return }
        self.status("[\(way)] \(error)")
    }
}
