import NIOCore

/// Where the sessions of a turn wait for each other. It belongs to their loop.
final class Rendezvous {
    private enum State {
        case gathering([CheckedContinuation<Void, any Error>])
        case met
        /// One of them will not come.
        case failed
    }

    private let count: Int
    private let whenMet: () -> Void
    private var state = State.gathering([])

    /// - Parameters:
    ///   - count: how many come.
    ///   - whenMet: called once all are there, before any goes on.
    init(of count: Int, whenMet: @escaping () -> Void) {
        self.count = count
        self.whenMet = whenMet
    }

    /// Resumes a continuation when all are there, with an error when one will not come.
    func arrive(_ continuation: CheckedContinuation<Void, any Error>) {
        switch self.state {
        case .gathering(let others) where others.count + 1 == self.count:
            self.state = .met
            self.whenMet()
            for other in others { other.resume() }
            continuation.resume()
        case .gathering(let others): self.state = .gathering(others + [continuation])
        case .failed: continuation.resume(throwing: CancellationError())
        case .met: preconditionFailure("more come than were expected")
        }
    }

    /// One of them will not come: nobody needs to wait.
    func fail() {
        guard case .gathering(let others) = self.state else { return }
        self.state = .failed
        for other in others { other.resume(throwing: CancellationError()) }
    }
}

extension NIOLoopBound<Rendezvous> {
    /// Waits until all are there. To be called on their loop.
    /// - Throws: `CancellationError` when the task is cancelled, or another one's has been.
    @concurrent func arrive(on loop: any EventLoop) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { self.value.arrive($0) }
        } onCancel: {
            loop.execute { self.value.fail() }
        }
    }
}
