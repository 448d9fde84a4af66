import NIOCore
import WebSocket

/// `apus connect` over WebSocket: each line of input is a message; all that arrives is shown.
struct WebSocketConversation: Sendable {
    let session: WebSocketSession
    let console: ConnectConsole

    /// Returns when the session has ended, by either side, and how.
    @concurrent func run(_ lines: StandardInputLines) async -> WebSocketClose {
        let subprotocol = self.session.subprotocol.map { "; subprotocol \(PrintableText.text($0))" } ?? ""
        self.console.status("connected over WebSocket\(subprotocol)")
        return await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await message in self.session.messages {
                    switch message {
                    case .text(let text): self.console.arrived(PrintableText.text(text), over: "text")
                    case .binary(let bytes): self.console.arrived(PrintableText.text(bytes), over: "binary")
                    }
                }
            }
            group.addTask {
                do {
                    for await line in lines {
                        // Text must be UTF-8 (RFC 6455 § 5.6).
                        if let text = String(validating: line.readableBytesView, as: UTF8.self) {
                            try await self.session.send(text: text)
                        } else {
                            try await self.session.send(binary: line)
                        }
                    }
                    try await self.console.waitForAnswers()
                } catch {
                    // The session is closed, or the task is cancelled: its end says why.
                }
                self.session.close()
            }
            defer { group.cancelAll() }
            return await self.session.closed
        }
    }
}
