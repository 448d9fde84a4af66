/// Conditions of a link that change at given times.
public struct Trace: Sendable, Hashable, Codable {
    /// From its time on until that of the next one. What is nil is as the link has it.
    public struct Row: Sendable, Hashable, Codable {
        /// Since the first packet of the network.
        public var time: Int64
        public var delay: Int64?
        public var jitter: Int64?
        /// The probability of independent loss.
        public var loss: Double?
        public var bandwidth: Int64?

        public init(
            time: Int64,
            delay: Int64? = nil,
            jitter: Int64? = nil,
            loss: Double? = nil,
            bandwidth: Int64? = nil
        ) {
            self.time = time
            self.delay = delay
            self.jitter = jitter
            self.loss = loss
            self.bandwidth = bandwidth
        }
    }

    /// Their times rise.
    public var rows: [Row]
    /// After so long it begins anew; nil when the last row holds for ever.
    public var period: Int64?

    public init(rows: [Row], period: Int64? = nil) {
        self.rows = rows
        self.period = period
    }

    /// - Parameter time: since the first packet of the network.
    func conditions(at time: Int64, else base: LinkConditions) -> LinkConditions {
        guard let row = self.row(at: self.period.map { time % $0 } ?? time) else { return base }
        return LinkConditions(
            delay: row.delay ?? base.delay,
            jitter: row.jitter ?? base.jitter,
            loss: row.loss.map { .independent($0) } ?? base.loss,
            bandwidth: row.bandwidth ?? base.bandwidth
        )
    }

    /// The last row that is not later; nil before the first.
    private func row(at time: Int64) -> Row? {
        var (low, high) = (0, self.rows.count)
        while low < high {
            let middle = (low + high) / 2
            if self.rows[middle].time <= time { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? self.rows[low - 1] : nil
    }
}
