import DequeModule

/// Lets so many tasks through at once; the others wait, in their order.
actor Turnstile {
    private var places: Int
    private var waiting: Deque<CheckedContinuation<Void, Never>> = []

    /// - Parameter places: at least one.
    init(places: Int) {
        precondition(places > 0, "nobody would ever come through")
        self.places = places
    }

    /// Waits for a place, and keeps it for the time of `body`. It takes no notice of cancellation while it waits.
    nonisolated func pass<Result: Sendable>(_ body: @Sendable () async throws -> Result) async rethrows -> Result {
        await self.enter()
        do {
            let result = try await body()
            await self.leave()
            return result
        } catch {
            await self.leave()
            throw error
        }
    }

    private func enter() async {
        if self.places > 0 {
            self.places -= 1
        } else {
            await withCheckedContinuation { self.waiting.append($0) }
        }
    }

    private func leave() {
        // The place goes to who waits longest.
        if let next = self.waiting.popFirst() { next.resume() } else { self.places += 1 }
    }
}
