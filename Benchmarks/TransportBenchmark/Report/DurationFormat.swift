/// Durations for people: three significant digits and a unit that fits.
public enum DurationFormat {
    private static let units: [(name: String, nanoseconds: UInt64)] = [
        ("ns", 1), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000),
    ]

    /// For example `842 ns`, `48.2 µs`, `1.05 ms`, `12.0 s`.
    public static func text(_ nanoseconds: UInt64) -> String {
        let rounded = Self.rounded(nanoseconds)
        // The first unit is one nanosecond, which is no larger than any duration but zero.
        guard let unit = Self.units.last(where: { $0.nanoseconds <= rounded }) else { return "0 ns" }
        let whole = rounded / unit.nanoseconds
        let rest = rounded % unit.nanoseconds
        if unit.nanoseconds == 1 || whole >= 100 { return "\(whole) \(unit.name)" }
        if whole >= 10 { return "\(whole).\(rest * 10 / unit.nanoseconds) \(unit.name)" }
        let hundredths = rest * 100 / unit.nanoseconds
        return "\(whole).\(hundredths < 10 ? "0" : "")\(hundredths) \(unit.name)"
    }

    /// For the marks of an axis, without digits that say nothing: `50 µs`.
    static func short(_ nanoseconds: UInt64) -> String {
        guard let unit = Self.units.last(where: { $0.nanoseconds <= nanoseconds }) else { return "0 ns" }
        return "\(nanoseconds / unit.nanoseconds) \(unit.name)"
    }

    /// Rounded half up to three significant digits, so that 999.7 µs becomes 1.00 ms and not 1000 µs.
    private static func rounded(_ value: UInt64) -> UInt64 {
        var step: UInt64 = 1
        while value / step >= 1_000 { step *= 10 }
        return (value / step + (value % step >= (step + 1) / 2 ? 1 : 0)).multipliedReportingOverflow(by: step)
            .partialValue
    }
}
