/// How much earlier than a packet is due the emulator wakes, to be awake when it is.
///
/// A processor that sleeps wakes late: by a few microseconds on some machines, by 200 on virtual ones. What is left of
/// the margin is spent looking for packets without sleeping.
struct WakeMargin {
    /// More is not slowness to wake but a machine that is busy; waking earlier would only make it busier.
    private static let most = 300_000.0

    private var estimate = 0.0

    /// In nanoseconds.
    var nanoseconds: Int64 { Int64(self.estimate) }

    /// A sleep ended so many nanoseconds after it should have. The margin rises fast and falls slowly, and so comes to
    /// rest where few are later.
    mutating func woke(late nanoseconds: Int64) {
        let difference = min(Double(max(0, nanoseconds)), Self.most) - self.estimate
        self.estimate += difference / (difference > 0 ? 2 : 32)
    }
}
