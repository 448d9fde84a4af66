import Testing

@testable import WebSocket

@Suite("Negotiation of compression (RFC 7692 § 7.1)")
struct CompressionNegotiationTests {
    private static func policy(_ change: (inout WebSocketCompression) -> Void = { _ in }) -> WebSocketCompression {
        var policy = WebSocketCompression()
        policy.sendWindowBits = 13
        policy.receiveWindowBits = 12
        change(&policy)
        return policy
    }

    private static func answer(to offer: String, _ policy: WebSocketCompression = policy()) throws -> String? {
        let offers = try #require(WebSocketExtension.parse([offer]))
        return PermessageDeflate.accept(offers, policy).map { "\($0.answer)" }
    }

    @Test(
        "An offer is answered with what was asked for and can be given",
        arguments: [
            ("permessage-deflate", "permessage-deflate"),
            ("permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=12"),
            ("permessage-deflate; client_max_window_bits=10", "permessage-deflate; client_max_window_bits=10"),
            ("permessage-deflate; client_max_window_bits=8", "permessage-deflate; client_max_window_bits=8"),
            ("permessage-deflate; client_max_window_bits=\"15\"", "permessage-deflate; client_max_window_bits=12"),
            ("permessage-deflate; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=13"),
            ("permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9"),
            ("permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"),
            ("permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"),
            // The first offer that can be fulfilled, and nothing of other extensions (§ 5.1).
            ("x-other; a=1, permessage-deflate; server_max_window_bits=8, permessage-deflate", "permessage-deflate"),
        ]
    )
    func accepted(offer: String, expected: String) throws {
        #expect(try Self.answer(to: offer) == expected)
    }

    @Test(
        "An offer that is not valid or cannot be fulfilled is declined (§ 7.1)",
        arguments: [
            "x-webkit-deflate-frame", "permessage-deflate; unknown", "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=08", "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; client_max_window_bits=7", "permessage-deflate; client_max_window_bits=1e1",
            "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; client_no_context_takeover=x",
            "permessage-deflate; client_max_window_bits; client_max_window_bits",
            // zlib cannot compress with so small a window.
            "permessage-deflate; server_max_window_bits=8",
        ]
    )
    func declined(offer: String) throws {
        #expect(try Self.answer(to: offer) == nil)
    }

    @Test("The server's own limits go into the answer, where the protocol lets them (§ 7.1.1, § 7.1.2)")
    func policies() throws {
        let forgetful = Self.policy {
            $0.keepsSendContext = false
            $0.keepsReceiveContext = false
        }
        let answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        #expect(try Self.answer(to: "permessage-deflate", forgetful) == answer)
        // A client that does not say that its window can be limited may use the largest.
        let offers = try #require(WebSocketExtension.parse(["permessage-deflate"]))
        let agreement = try #require(PermessageDeflate.accept(offers, Self.policy())).agreement
        #expect(agreement.clientWindowBits == 15 && agreement.serverWindowBits == 13)
    }

    private static func agreement(
        _ answer: String,
        _ policy: WebSocketCompression = policy()
    ) throws -> PermessageDeflate? {
        let answers = try #require(WebSocketExtension.parse([answer]))
        return PermessageDeflate.agreement(from: answers[0], policy)
    }

    @Test("The client's offer says what it wants, and the server that grants it is understood")
    func client() throws {
        #expect(
            "\(PermessageDeflate.offer(Self.policy()))"
                == "permessage-deflate; server_max_window_bits=12; client_max_window_bits"
        )
        let plain = Self.policy { $0.receiveWindowBits = 15 }
        #expect("\(PermessageDeflate.offer(plain))" == "permessage-deflate; client_max_window_bits")
        let forgetful = Self.policy {
            $0.keepsSendContext = false
            $0.keepsReceiveContext = false
        }
        #expect(
            "\(PermessageDeflate.offer(forgetful))" == "permessage-deflate; server_no_context_takeover; "
                + "client_no_context_takeover; server_max_window_bits=12; client_max_window_bits"
        )
        #expect(
            try Self.agreement("permessage-deflate; server_max_window_bits=10; client_max_window_bits=11")
                == PermessageDeflate(serverWindowBits: 10, clientWindowBits: 11)
        )
        #expect(
            try Self.agreement("permessage-deflate; client_no_context_takeover", plain)
                == PermessageDeflate(clientKeepsContext: false, serverWindowBits: 15, clientWindowBits: 13)
        )
        // Our side of the offer binds us whether the server repeats it or not (§ 7.1.1.2).
        let granted = "permessage-deflate; server_no_context_takeover; server_max_window_bits=12"
        #expect(try Self.agreement(granted, forgetful)?.clientKeepsContext == false)
    }

    @Test(
        "An answer that is not valid, or does not grant what was asked for, fails the connection (§ 7.1)",
        arguments: [
            "permessage-deflate; unknown", "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=12; server_max_window_bits=12",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=16",
            // 15 bits, where 12 were asked for.
            "permessage-deflate", "permessage-deflate; server_max_window_bits=13",
        ]
    )
    func badAnswer(answer: String) throws {
        #expect(try Self.agreement(answer) == nil)
    }

    @Test("A server that keeps context although it was asked not to fails the connection (§ 7.1.1.1)")
    func contextNotGranted() throws {
        let policy = Self.policy { $0.keepsReceiveContext = false }
        #expect(try Self.agreement("permessage-deflate; server_max_window_bits=12", policy) == nil)
    }

    @Test("A window too small for zlib means that nothing is compressed, and everything understood")
    func smallWindow() throws {
        let answer = "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8"
        let agreement = try #require(try Self.agreement(answer))
        #expect(agreement.makeDeflater(.client, Self.policy()) == nil)
        _ = agreement.makeInflater(.client)
    }
}

@Suite("Sec-WebSocket-Extensions (RFC 6455 § 9.1)")
struct WebSocketExtensionTests {
    @Test("Names, parameters, quoted values and several fields")
    func grammar() {
        #expect(WebSocketExtension.parse([]) == [])
        #expect(WebSocketExtension.parse(["", " , "]) == [])
        #expect(
            WebSocketExtension.parse(["a;b ; c = d;e=\"f\\g\" , h", "i"])?.map { "\($0)" } == [
                "a; b; c=d; e=fg", "h", "i",
            ]
        )
    }

    @Test(
        "What does not follow the grammar is refused",
        arguments: [
            "a;", ";b", "a b", "a; b=", "a; =c", "a; b=\"\"", "a; b=\"c", "a; b=\"c d\"", "a; b=\"c\\", "a=b", "ä",
        ]
    )
    func invalid(text: String) {
        #expect(WebSocketExtension.parse([text]) == nil)
    }
}
