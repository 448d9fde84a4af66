import NIOConcurrencyHelpers
import Testing

@testable import ApusServer

@Suite("A turnstile", .timeLimit(.minutes(1)))
struct TurnstileTests {
    private struct Failure: Error {}

    @Test("So many are within at once, and a failure gives its place back as well")
    func places() async {
        let turnstile = Turnstile(places: 2)
        let (within, most) = (NIOLockedValueBox(0), NIOLockedValueBox(0))
        let passed = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<50 {
                group.addTask {
                    do {
                        try await turnstile.pass {
                            let count = within.withLockedValue { count in
                                count += 1
                                return count
                            }
                            most.withLockedValue { $0 = max($0, count) }
                            for _ in 0..<10 { await Task.yield() }
                            within.withLockedValue { $0 -= 1 }
                            if number.isMultiple(of: 3) { throw Failure() }
                        }
                        return true
                    } catch {
                        return false
                    }
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(passed == 33)
        #expect(most.withLockedValue(\.self) == 2)
        // Every place is free again.
        await turnstile.pass { await turnstile.pass {} }
    }
}
