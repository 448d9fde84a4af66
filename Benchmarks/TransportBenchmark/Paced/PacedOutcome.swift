import NIOCore

/// What came of the messages of one turn of one session.
///
/// Times count from when a message was *due*, not from when it was sent: what could not be sent in time because of what
/// was sent before is part of what a user waits for (no coordinated omission).
struct PacedOutcome: Sendable {
    let load: PacedLoad
    /// For each message the nanoseconds from when it was due until its echo was there; nil when it did not come.
    var ages: [UInt64?]
    /// For each message the nanoseconds from when it was due until the client began to send it.
    var lateness: [UInt64]
    /// What came back of a bulk transfer while messages counted, and in all.
    var bulkByteCount = 0
    var wholeBulkByteCount = 0

    private var counted: Range<Int> { min(self.load.firstCounted, self.ages.count)..<self.ages.count }

    /// The ages of what came back.
    var result: TurnResult {
        let ages = self.ages[self.counted]
        return TurnResult(nanoseconds: ages.compactMap { $0 }, lost: ages.count { $0 == nil })
    }

    /// How late the client itself was.
    var countedLateness: ArraySlice<UInt64> { self.lateness[self.counted] }

    /// Messages that were newer, when they arrived, than all of their sequence that had arrived before.
    var freshCount: Int {
        (0..<self.load.sequences).reduce(0) { sum, sequence in
            sum + self.news(of: sequence).count { $0.number >= self.load.firstCounted }
        }
    }

    /// How old, in nanoseconds, the newest is that the receiver knows of each sequence: looked at every millisecond.
    var staleness: [UInt64] {
        (0..<self.load.sequences).flatMap(self.staleness)
    }

    private static let interval: Int64 = 1_000_000

    private func staleness(of sequence: Int) -> [UInt64] {
        var samples: [UInt64] = []
        var news = self.news(of: sequence)[...]
        var known: Int64?
        let end = self.load.due(self.load.count).nanoseconds
        for time in stride(from: self.load.due(self.load.firstCounted).nanoseconds, to: end, by: Int(Self.interval)) {
            while let next = news.first, next.arrival <= time {
                known = self.load.due(next.number).nanoseconds
                news.removeFirst()
            }
            // Until something has come there is nothing that could be stale: the session's first moment.
            if let known { samples.append(UInt64(time - known)) }
        }
        return samples
    }

    /// What a receiver that forgets the old has taken of a sequence, in the order of arrival.
    private func news(of sequence: Int) -> [(number: Int, arrival: Int64)] {
        let arrivals = stride(from: sequence, to: self.ages.count, by: self.load.sequences).compactMap { number in
            self.ages[number].map { (number: number, arrival: self.load.due(number).nanoseconds + Int64($0)) }
        }.sorted { ($0.arrival, $0.number) < ($1.arrival, $1.number) }
        var newest = -1
        return arrivals.filter { message in
            guard message.number > newest else { return false }
            newest = message.number
            return true
        }
    }
}
