/// What both sides have agreed on for permessage-deflate (RFC 7692 § 7.1).
struct PermessageDeflate: Hashable, Sendable {
    static let name = "permessage-deflate"

    var serverKeepsContext = true
    var clientKeepsContext = true
    var serverWindowBits = 15
    var clientWindowBits = 15

    /// The parameters of an offer or an answer, each of which may stand there once (RFC 7692 § 7.1).
    private struct Parameters {
        enum ClientWindow: Hashable {
            /// The parameter without a value: the client lets the server choose.
            case any
            case bits(Int)
        }

        var serverNoContextTakeover = false
        var clientNoContextTakeover = false
        var serverWindowBits: Int?
        var clientWindow: ClientWindow?

        /// Nil when a parameter is not known, stands there twice, or has a value that it cannot have.
        init?(_ parameters: [WebSocketExtension.Parameter]) {
            guard Set(parameters.map(\.name)).count == parameters.count else { return nil }
            for parameter in parameters {
                switch (parameter.name, parameter.value) {
                case ("server_no_context_takeover", nil):
                    self.serverNoContextTakeover = true
                case ("client_no_context_takeover", nil):
                    self.clientNoContextTakeover = true
                case ("server_max_window_bits", let value?):
                    guard let bits = Self.windowBits(value) else { return nil }
                    self.serverWindowBits = bits
                case ("client_max_window_bits", nil):
                    self.clientWindow = .any
                case ("client_max_window_bits", let value?):
                    guard let bits = Self.windowBits(value) else { return nil }
                    self.clientWindow = .bits(bits)
                case (_, _):
                    return nil
                }
            }
        }

        /// A decimal number from 8 to 15 without leading zeros (RFC 7692 § 7.1.2).
        private static func windowBits(_ text: String) -> Int? {
            (8...15).first { "\($0)" == text }
        }
    }

    // MARK: The server

    /// Takes the client's first offer that can be fulfilled, and says how to answer it; nil when there is none.
    static func accept(
        _ offers: [WebSocketExtension],
        _ policy: WebSocketCompression
    ) -> (agreement: PermessageDeflate, answer: WebSocketExtension)? {
        for offer in offers where offer.name == Self.name {
            // RFC 7692 § 7.1: an offer that is not valid is declined, and the next one is looked at.
            if let parameters = Parameters(offer.parameters), let answer = Self.accept(parameters, policy) {
                return answer
            }
        }
        return nil
    }

    private static func accept(
        _ offer: Parameters,
        _ policy: WebSocketCompression
    ) -> (agreement: PermessageDeflate, answer: WebSocketExtension)? {
        var agreement = PermessageDeflate()
        var answer = WebSocketExtension(name: Self.name)
        if offer.serverNoContextTakeover || !policy.keepsSendContext {
            agreement.serverKeepsContext = false
            answer.parameters.append(.init(name: "server_no_context_takeover"))
        }
        // The client's own wish; an answer that says the same lets both forget (RFC 7692 § 7.1.1.2).
        if offer.clientNoContextTakeover || !policy.keepsReceiveContext {
            agreement.clientKeepsContext = false
            answer.parameters.append(.init(name: "client_no_context_takeover"))
        }
        agreement.serverWindowBits = policy.sendWindowBits
        if let limit = offer.serverWindowBits {
            // zlib cannot compress with a window of 2^8 bytes, so nobody gets the promise (RFC 7692 § 7.1.2.1).
            guard limit >= MessageDeflater.minimumWindowBits else { return nil }
            agreement.serverWindowBits = min(limit, policy.sendWindowBits)
            answer.parameters.append(.init(name: "server_max_window_bits", value: "\(agreement.serverWindowBits)"))
        }
        // RFC 7692 § 7.1.2.2: the client's window may be limited only when it says that it can be.
        if let window = offer.clientWindow {
            agreement.clientWindowBits = policy.receiveWindowBits
            if case .bits(let limit) = window { agreement.clientWindowBits = min(limit, policy.receiveWindowBits) }
            answer.parameters.append(.init(name: "client_max_window_bits", value: "\(agreement.clientWindowBits)"))
        }
        return (agreement, answer)
    }

    // MARK: The client

    /// What a client with this policy asks for.
    static func offer(_ policy: WebSocketCompression) -> WebSocketExtension {
        var offer = WebSocketExtension(name: Self.name)
        if !policy.keepsReceiveContext { offer.parameters.append(.init(name: "server_no_context_takeover")) }
        if !policy.keepsSendContext { offer.parameters.append(.init(name: "client_no_context_takeover")) }
        if policy.receiveWindowBits < 15 {
            offer.parameters.append(.init(name: "server_max_window_bits", value: "\(policy.receiveWindowBits)"))
        }
        // A limit that the server sets can always be kept.
        offer.parameters.append(.init(name: "client_max_window_bits"))
        return offer
    }

    /// What a server's answer to `offer(policy)` means; nil when it is not an answer to it, which fails the connection
    /// (RFC 7692 § 7.1).
    static func agreement(from answer: WebSocketExtension, _ policy: WebSocketCompression) -> PermessageDeflate? {
        guard answer.name == Self.name, let parameters = Parameters(answer.parameters) else { return nil }
        var agreement = PermessageDeflate()
        agreement.serverKeepsContext = !parameters.serverNoContextTakeover
        agreement.serverWindowBits = parameters.serverWindowBits ?? 15
        // RFC 7692 § 7.1.1.1 and § 7.1.2.1: what was asked for must be granted.
        guard policy.keepsReceiveContext || !agreement.serverKeepsContext,
            agreement.serverWindowBits <= policy.receiveWindowBits
        else { return nil }
        agreement.clientKeepsContext = policy.keepsSendContext && !parameters.clientNoContextTakeover
        switch parameters.clientWindow {
        case nil: agreement.clientWindowBits = policy.sendWindowBits
        case .bits(let limit): agreement.clientWindowBits = min(limit, policy.sendWindowBits)
        // In an answer it has a value (RFC 7692 § 7.1.2.2).
        case .any: return nil
        }
        return agreement
    }

    // MARK: Both

    /// The compressor of one side; nil when it must send messages as they are, which is always allowed.
    func makeDeflater(_ role: WebSocketRole, _ policy: WebSocketCompression) -> MessageDeflater? {
        let windowBits = role == .server ? self.serverWindowBits : self.clientWindowBits
        guard windowBits >= MessageDeflater.minimumWindowBits else { return nil }
        return MessageDeflater(
            windowBits: windowBits,
            keepsContext: role == .server ? self.serverKeepsContext : self.clientKeepsContext,
            policy: policy
        )
    }

    /// The decompressor of what the other side sends.
    func makeInflater(_ role: WebSocketRole) -> MessageInflater {
        switch role {
        case .server: MessageInflater(windowBits: self.clientWindowBits, keepsContext: self.clientKeepsContext)
        case .client: MessageInflater(windowBits: self.serverWindowBits, keepsContext: self.serverKeepsContext)
        }
    }
}
