/// What others did on the processors that were measured on, meanwhile.
public struct Noise: Sendable, Hashable, Codable {
    /// In nanoseconds, from the beginning of the run to its end.
    public var elapsed: UInt64
    /// Processors that the measurement may use.
    public var coreCount: Int
    /// What programs that have no part in the measurement, and the kernel for them, ran on them, in nanoseconds of one.
    public var others: UInt64
    /// What the host of this virtual machine gave to other machines while something here wanted to run, likewise.
    public var stolen: UInt64

    /// Processors that were busy for others, on average.
    public var otherCores: Double { self.cores(self.others) }
    public var stolenCores: Double { self.cores(self.stolen) }

    private func cores(_ time: UInt64) -> Double { self.elapsed == 0 ? 0 : Double(time) / Double(self.elapsed) }

    /// Half of what a busy third program takes of two processors: beyond it, whose turn was held up is chance.
    private static let most = 0.25

    /// Why nothing may be concluded from the run; nil when something may.
    public var objection: String? {
        if self.otherCores > Self.most {
            return
                "other programs used \(DecimalFormat.hundredths(self.otherCores)) of \(self.coreCount) processors meanwhile"
        }
        if self.stolenCores > Self.most {
            return
                "the host took away \(DecimalFormat.hundredths(self.stolenCores)) of \(self.coreCount) processors meanwhile"
        }
        return nil
    }
}
