import HTTPSemantics
import Testing

@testable import WebSocket

@Suite("URLs of WebSockets (RFC 6455 § 3)")
struct URLTests {
    @Test("ws and wss are taken, and http and https for the same", arguments: ["ws", "wss", "http", "https", "WSS"])
    func schemes(scheme: String) throws {
        let url = try WebSocketClient.target("\(scheme)://[::1]:4433/echo?a=b")
        #expect(url.isSecure == ["wss", "https"].contains(scheme.lowercased()))
        #expect(url.host == "::1" && url.port == 4433 && url.path == "/echo?a=b" && url.authority == "[::1]:4433")
    }

    @Test(
        "What is none is refused with what is wrong and an example",
        arguments: [
            ("localhost", "no scheme"), ("ftp://a", "scheme"), ("ws://", "no host"), ("ws://a:b", "port"),
            ("ws://[::1", "bracket"), ("ws://u@a", "user name"), ("ws://a/#f", "fragment"), ("ws://a/ b", "blanks"),
        ]
    )
    func invalid(text: String, reason: String) {
        let error = #expect(throws: WebSocketError.self) { try WebSocketClient.target(text) }
        #expect(error?.code == .invalidURL)
        #expect(error?.message.contains(reason) == true)
        #expect(error?.message.contains("wss://localhost:4433/echo") == true)
    }
}
