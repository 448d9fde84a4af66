import Testing

@testable import WebTransport

@Suite("What connections may hold together")
struct OutputAllowanceTests {
    @Test(
        "With many connections each holds less, down to what any needs",
        arguments: [(0, 16 << 20), (1, 16 << 20), (64, 16 << 20), (128, 8 << 20), (1024, 1 << 20), (10_000, 256 << 10)]
    )
    func share(connections: Int, expected: Int) {
        #expect(OutputAllowance().share(ofEachOf: connections) == expected)
    }
}
