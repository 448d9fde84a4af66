@testable import WebSocket

extension FuzzTarget {
    /// Sec-WebSocket-Extensions (RFC 6455 § 9.1), and what permessage-deflate makes of it (RFC 7692 § 7).
    static let webSocketExtensions = FuzzTarget("websocket-extensions") { input in
        let text = String(decoding: input, as: UTF8.self)
        guard let extensions = WebSocketExtension.parse([text]) else { return }
        let again = extensions.map(\.description).joined(separator: ", ")
        try requireEqual(WebSocketExtension.parse([again]), extensions, "extensions written and read, and themselves")
        for policy in Self.compressionPolicies {
            try Self.checkOffers(extensions, policy)
            if let answer = extensions.first { try Self.checkAnswer(answer, policy) }
        }
    }

    private static let compressionPolicies: [WebSocketCompression] = [9, 12, 15].flatMap { bits in
        [true, false].map { keepsContext in
            var policy = WebSocketCompression()
            (policy.sendWindowBits, policy.receiveWindowBits) = (bits, 24 - bits)
            (policy.keepsSendContext, policy.keepsReceiveContext) = (keepsContext, !keepsContext)
            return policy
        }
    }

    private static func checkOffers(_ offers: [WebSocketExtension], _ policy: WebSocketCompression) throws {
        guard let (agreement, answer) = PermessageDeflate.accept(offers, policy) else { return }
        try require(offers.contains { $0.name == answer.name }, "only what was offered is agreed to")
        try requireEqual(WebSocketExtension.parse([answer.description]), [answer], "an answer read, and itself")
        try require(agreement.serverWindowBits <= policy.sendWindowBits, "our window is no larger than we want")
        try require(policy.keepsSendContext || !agreement.serverKeepsContext, "we forget what we want to forget")
        // A client that left everything open must come to the same agreement.
        var client = WebSocketCompression()
        (client.sendWindowBits, client.receiveWindowBits) = (15, 15)
        let clients = PermessageDeflate.agreement(from: answer, client)
        try require(clients != nil, "our answer \(answer) is one")
        try require(
            clients?.serverWindowBits ?? 15 >= agreement.serverWindowBits
                && clients?.clientWindowBits ?? 0 <= agreement.clientWindowBits,
            "neither end compresses with more than the other decompresses with: \(answer)"
        )
        try Self.checkMachines(agreement, policy)
    }

    private static func checkAnswer(_ answer: WebSocketExtension, _ policy: WebSocketCompression) throws {
        guard let agreement = PermessageDeflate.agreement(from: answer, policy) else { return }
        try require(agreement.serverWindowBits <= policy.receiveWindowBits, "the server grants the window we asked for")
        try require(agreement.clientWindowBits <= policy.sendWindowBits, "our window is no larger than we want")
        try Self.checkMachines(agreement, policy)
    }

    private static func checkMachines(_ agreement: PermessageDeflate, _ policy: WebSocketCompression) throws {
        for role in [WebSocketRole.server, .client] {
            // Their preconditions are what is checked.
            _ = agreement.makeInflater(role)
            _ = agreement.makeDeflater(role, policy)
        }
    }
}
