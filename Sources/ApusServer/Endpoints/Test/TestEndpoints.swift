/// The endpoints for the tests of browsers and other peers. They are off unless `--test-endpoints` is given.
enum TestEndpoints {
    static func make() -> [String: any WebTransportRoute] {
        let tokens = TokenStore()
        return [
            "/test/request": RequestEndpoint(),
            "/test/response": ResponseEndpoint(),
            "/test/protocol": ProtocolEndpoint(),
            "/test/export": ExportEndpoint(),
            "/test/datagram-lengths": DatagramLengthsEndpoint(),
            "/test/streams": StreamsEndpoint(),
            "/test/reset": AbortEndpoint(signal: .reset),
            "/test/stop": AbortEndpoint(signal: .stop),
            "/test/order": OrderEndpoint(),
            "/test/transfer": TransferEndpoint(),
            "/test/read-then-close": ReadThenCloseEndpoint(),
            "/test/close-connection": CloseConnectionEndpoint(),
            "/test/drain": DrainEndpoint(),
            "/test/record": RecordEndpoint(tokens: tokens),
            "/test/query": QueryEndpoint(tokens: tokens),
            "/test/count": CountEndpoint(tokens: tokens),
            "/webtransport/devious-baton": BatonEndpoint(),
        ]
    }
}
