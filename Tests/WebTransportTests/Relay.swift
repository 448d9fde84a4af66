import NIOCore
import NIOPosix

/// A NAT between one client and a server on loopback, which may give the client another port at any time.
final class Relay: Sendable {
    /// Where the client believes the server to be.
    let port: Int
    private let state: NIOLoopBound<State>
    private let channels: [any Channel]

    private final class State {
        var client: SocketAddress?
        var front: (any Channel)?
        var backs: [any Channel] = []
        var current = 0
    }

    /// - Parameter ports: how many the NAT has, to take them in turn.
    static func open(to server: SocketAddress, ports: Int, on loop: any EventLoop) async throws -> Relay {
        let bound = try await loop.submit { NIOLoopBound(State(), eventLoop: loop) }.get()
        func bind(
            _ forward: @escaping @Sendable (State, AddressedEnvelope<ByteBuffer>) -> Void
        ) async throws -> any Channel {
            try await DatagramBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Forwarder { forward(bound.value, $0) })
                    }
                }
                .bind(host: "127.0.0.1", port: 0).get()
        }
        let front = try await bind { state, envelope in
            state.client = envelope.remoteAddress
            let out = AddressedEnvelope(remoteAddress: server, data: envelope.data)
            state.backs[state.current].writeAndFlush(out, promise: nil)
        }
        var backs: [any Channel] = []
        for _ in 0..<ports {
            backs.append(
                try await bind { state, envelope in
                    guard let client = state.client else { return }
                    state.front?.writeAndFlush(
                        AddressedEnvelope(remoteAddress: client, data: envelope.data),
                        promise: nil
                    )
                }
            )
        }
        let all = backs
        try await loop.submit {
            bound.value.front = front
            bound.value.backs = all
        }.get()
        return Relay(port: front.localAddress!.port!, state: bound, channels: [front] + backs)
    }

    private init(port: Int, state: NIOLoopBound<State>, channels: [any Channel]) {
        self.port = port
        self.state = state
        self.channels = channels
    }

    /// From now on the client's datagrams come from another port.
    func rebind() async throws {
        let state = self.state
        try await state.eventLoop.submit { state.value.current = (state.value.current + 1) % state.value.backs.count }
            .get()
    }

    func close() async throws {
        for channel in self.channels { try await channel.close() }
    }

    private final class Forwarder: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        private let forward: (AddressedEnvelope<ByteBuffer>) -> Void

        init(_ forward: @escaping (AddressedEnvelope<ByteBuffer>) -> Void) { self.forward = forward }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.forward(self.unwrapInboundIn(data)) }
    }
}
