import ApusServer
import Testing

@Suite("Metrics over HTTP", .timeLimit(.minutes(1)))
struct MetricsPageTests {
    typealias Way = TestServer.Way

    @Test("/metrics is on the plain port of loopback, and nowhere else", arguments: Way.allCases)
    func place(way: Way) async throws {
        let registry = PrometheusRegistry(descriptions: ApusServer.metricDescriptions)
        try await TestServer.run(configure: { $0.metrics = registry }) { test in
            let response = try await test.request("GET", "/metrics", over: way)
            switch way {
            case .plain:
                #expect(response.status == "200")
                #expect(response.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
                #expect(response.fields["cache-control"] == "no-store")
                #expect(response.body.contains("\n# TYPE apus_quic_connections gauge\napus_quic_connections 0\n"))
                #expect(response.body.contains("\napus_limits_exceeded_total{limit=\"capsules\"} 0\n"))
            case .tls:
                #expect(response.status == "404")
            }
        }
    }

    @Test("Without a registry there is no /metrics")
    func off() async throws {
        try await TestServer.run { test in
            let response = try await test.request("GET", "/metrics", over: .plain)
            #expect(response.status == "404")
        }
    }

    @Test("Sessions of both transports are counted, and every metric has a HELP line")
    func sessions() async throws {
        let registry = PrometheusRegistry(descriptions: ApusServer.metricDescriptions)
        try await TestServer.run(configure: { $0.metrics = registry }) { test in
            try await test.webTransport("/echo") { _ in }
            // What an endpoint counts is published at the latest when it closes.
        }
        let lines = registry.text.split(separator: "\n")
        #expect(lines.contains("apus_webtransport_sessions_accepted_total 1"))
        #expect(lines.contains("apus_webtransport_sessions 0"))
        #expect(lines.contains("apus_quic_connections_accepted_total 1"))
        let types = lines.filter { $0.hasPrefix("# TYPE") }
        #expect(lines.count { $0.hasPrefix("# HELP") } == types.count)
    }
}
