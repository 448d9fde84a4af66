import ApusServer
import CoreMetrics
import Testing

@Suite("Metrics as text")
struct PrometheusRegistryTests {
    @Test("Counters and gauges have HELP, TYPE and a line for each series, in order")
    func text() {
        let registry = PrometheusRegistry(descriptions: ["b_total": "What b\ncounts."])
        Counter(label: "b_total", dimensions: [("kind", "y")], factory: registry).increment(by: 2)
        Counter(label: "b_total", dimensions: [("kind", "x")], factory: registry).increment()
        let meter = Meter(label: "a", factory: registry)
        meter.increment(by: 3)
        meter.decrement(by: 1.5)
        #expect(
            registry.text == """
                # TYPE a gauge
                a 1.5
                # HELP b_total What b\\ncounts.
                # TYPE b_total counter
                b_total{kind="x"} 1
                b_total{kind="y"} 2

                """
        )
    }

    @Test("Whoever names the same series counts together, and a series that never counted is there at zero")
    func sharing() {
        let registry = PrometheusRegistry()
        for _ in 0..<3 { Counter(label: "a_total", factory: registry).increment() }
        _ = Counter(label: "b_total", factory: registry)
        #expect(registry.text.contains("a_total 3\n"))
        #expect(registry.text.contains("b_total 0\n"))
    }

    @Test("Names and values that would break the format are changed and escaped")
    func escaping() {
        let registry = PrometheusRegistry()
        Counter(label: "1.a-b", dimensions: [("x.y", "say \"\\\"\nor not")], factory: registry).increment()
        #expect(registry.text == "# TYPE _1_a_b counter\n_1_a_b{x_y=\"say \\\"\\\\\\\"\\nor not\"} 1\n")
    }

    @Test("Timers and recorders have a count and a sum; timers in seconds")
    func summaries() {
        let registry = PrometheusRegistry()
        let timer = Timer(label: "t", factory: registry)
        timer.recordNanoseconds(1_500_000_000)
        timer.recordNanoseconds(500_000_000)
        Recorder(label: "r", factory: registry).record(4)
        #expect(registry.text == "# TYPE r summary\nr_count 1\nr_sum 4\n# TYPE t summary\nt_count 2\nt_sum 2\n")
    }
}
