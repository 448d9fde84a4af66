import NIOConcurrencyHelpers
public import NIOCore
public import WebTransport

/// Plays devious baton over a session, as server or client, until the session ends.
public struct BatonPlayer: Sendable {
    /// How a game went.
    public struct Outcome: Sendable {
        /// Batons that arrived on streams.
        public var messages = 0
        /// Batons that arrived in datagrams.
        public var datagrams = 0
        /// Whether every baton came home.
        public var isComplete = false
        /// How the session ended.
        public var end: WebTransportSession.End
    }

    private struct State {
        var game: BatonGame
        var messages = 0
        var datagrams = 0
        var isOver = false
    }

    private let session: WebTransportSession
    private let passes: [BatonGame.Pass]
    /// Behind a lock that ThreadSanitizer sees, which a `Mutex` is not.
    private let state: NIOLockedValueBox<State>
    private let patience: TimeAmount

    /// Long for a network, short for a person.
    public static let patience = TimeAmount.seconds(10)
    /// More than a byte's worth, so that lengths of two bytes are seen too.
    private static let maxPadding = 500

    /// What a URL asks the server to begin with: the value, if it says one, and how many batons.
    public static func parameters(ofURL url: String) -> (baton: UInt8?, count: Int) {
        let query = Query.split(url).query
        return (query["baton"].flatMap(UInt8.init), query["count"].flatMap(Int.init) ?? 1)
    }

    /// The server's part: it sends `count` batons of this value first.
    /// - Parameter patience: time for the next message, and for the peer to allow a stream.
    public static func serving(
        _ session: WebTransportSession,
        baton: UInt8,
        count: Int,
        patience: TimeAmount = Self.patience
    ) -> BatonPlayer {
        let (game, passes) = BatonGame.serving(baton: baton, count: count)
        return BatonPlayer(session: session, game: game, passes: passes, patience: patience)
    }

    /// The client's part: it answers what the server was asked to begin with.
    public static func playing(
        _ session: WebTransportSession,
        baton: UInt8?,
        count: Int,
        patience: TimeAmount = Self.patience
    ) -> BatonPlayer {
        BatonPlayer(session: session, game: .playing(baton: baton, count: count), passes: [], patience: patience)
    }

    private init(session: WebTransportSession, game: BatonGame, passes: [BatonGame.Pass], patience: TimeAmount) {
        self.session = session
        self.passes = passes
        self.state = NIOLockedValueBox(State(game: game))
        self.patience = patience
    }

    /// Returns when the session has ended.
    @concurrent public func play() async throws -> Outcome {
        let boredom = Boredom(session: self.session, patience: self.patience)
        defer { boredom.cancel() }
        await withDiscardingTaskGroup { group in
            for pass in self.passes { group.addTask { await self.send(pass, on: nil, boredom) } }
            group.addTask {
                for await datagram in self.session.datagrams { self.receive(datagram: datagram) }
            }
            group.addTask {
                await self.session.serveBidirectionalStreams { stream in
                    await self.receive(stream.inbound, .bidirectionalOfPeer, reply: stream.outbound, boredom)
                }
            }
            await self.session.serveUnidirectionalStreams { stream in
                await self.receive(stream, .unidirectional, reply: nil, boredom)
            }
        }
        let end = try await self.session.closed
        return self.state.withLockedValue {
            Outcome(messages: $0.messages, datagrams: $0.datagrams, isComplete: $0.isOver, end: end)
        }
    }

    // MARK: Receiving

    private func receive(datagram: ByteBuffer) {
        do {
            let message = try BatonMessage.decode(datagram)
            try self.state.withLockedValue {
                $0.datagrams += 1
                try $0.game.receivedDatagram(message.value)
            }
        } catch {
            self.fail(error)
        }
    }

    private func receive(
        _ stream: WebTransportReceiveStream,
        _ arrival: BatonGame.Arrival,
        reply: WebTransportSendStream?,
        _ boredom: Boredom
    ) async {
        do {
            var reader = BatonMessage.Reader()
            for try await chunk in stream { try reader.received(chunk) }
            let message = try reader.ended()
            boredom.restart()
            let turn = try self.state.withLockedValue { state in
                state.messages += 1
                let turn = try state.game.received(message.value, on: arrival)
                if turn.isLast || state.game.isOver { state.isOver = true }
                return turn
            }
            if turn.isOwedDatagram {
                try await self.session.datagrams.send(reader.copy ?? message.encoded(padding: 0))
            }
            if let pass = turn.pass { await self.send(pass, on: reply, boredom) }
            if turn.isLast { self.session.close() }
        } catch let error as WebTransportError where error.code == .streamReset {
            reply?.reset(code: BatonGame.StreamCode.whatever.rawValue)
            self.lost(arrival)
        } catch let error as WebTransportError {
            // The session has ended; `closed` tells how.
            _ = error
        } catch {
            self.fail(error)
        }
    }

    /// The peer will neither pass the baton on that was to arrive so, nor have it passed on.
    private func lost(_ arrival: BatonGame.Arrival) {
        let isOver = self.state.withLockedValue { state in
            state.game.lost(on: arrival)
            return state.game.isOver
        }
        if isOver { self.session.close() }
    }

    // MARK: Sending

    private func send(_ pass: BatonGame.Pass, on reply: WebTransportSendStream?, _ boredom: Boredom) async {
        let message = BatonMessage(value: pass.value).encoded(padding: .random(in: 0...Self.maxPadding))
        do {
            switch pass.way {
            case .sameStream:
                guard let reply else { preconditionFailure("only a peer's bidirectional stream is answered in place") }
                try await Self.write(message, on: reply)
            case .newUnidirectional:
                try await Self.write(message, on: try await self.open { try await $0.openUnidirectionalStream() })
            case .newBidirectional:
                let stream = try await self.open { try await $0.openBidirectionalStream() }
                try await stream.outbound.write(message)
                stream.outbound.finish()
                // A baton that has come home is not answered.
                if pass.value != 0 { await self.receive(stream.inbound, .bidirectionalOfOwn, reply: nil, boredom) }
            }
        } catch let error as WebTransportError where error.code == .streamStopped {
            // The transport has reset the stream in answer, with the peer's code (RFC 9000 § 3.5). The baton is lost.
            self.lost(BatonGame.answer(to: pass.way))
        } catch {
            // The session has ended; `closed` tells how.
        }
    }

    /// - Throws: `WebTransportError` with `streamStopped` when the peer does not want it, which may come late.
    private static func write(_ message: ByteBuffer, on stream: WebTransportSendStream) async throws {
        try await stream.write(message)
        try await stream.finishAndWait()
    }

    /// Opens a stream. The peer has half of the time for it that it has for a message: before boredom, which says less.
    private func open<Stream: Sendable>(
        _ body: (WebTransportSession) async throws -> Stream
    ) async throws -> Stream {
        let session = self.session
        let timeout = session.eventLoop.scheduleTask(in: .nanoseconds(self.patience.nanoseconds / 2)) {
            session.close(code: BatonGame.SessionCode.daYamn.rawValue, reason: "DA_YAMN")
        }
        defer { timeout.cancel() }
        return try await body(session)
    }

    private func fail(_ error: any Error) {
        let code = (error as? BatonGame.Violation)?.code ?? .bruh
        self.session.close(code: code.rawValue, reason: "\(code)")
    }

    /// Closes the session when no message comes for too long.
    private final class Boredom: Sendable {
        private let session: WebTransportSession
        private let patience: TimeAmount
        private let timer: NIOLockedValueBox<Scheduled<Void>?>

        init(session: WebTransportSession, patience: TimeAmount) {
            self.session = session
            self.patience = patience
            self.timer = NIOLockedValueBox(nil)
            self.restart()
        }

        func restart() {
            let session = self.session
            self.timer.withLockedValue {
                $0?.cancel()
                $0 = session.eventLoop.scheduleTask(in: self.patience) {
                    session.close(code: BatonGame.SessionCode.bored.rawValue, reason: "BORED")
                }
            }
        }

        func cancel() { self.timer.withLockedValue { $0?.cancel() } }
    }
}
