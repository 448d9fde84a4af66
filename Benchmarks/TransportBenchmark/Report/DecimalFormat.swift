/// Numbers for people, with one or two digits after the point.
enum DecimalFormat {
    /// How many times as much: `0.87×`.
    static func ratio(_ value: Double) -> String { "\(Self.hundredths(value))×" }

    /// A share from 0 to 1: `0.10 %`.
    static func percent(_ share: Double) -> String { "\(Self.hundredths(share * 100)) %" }

    /// A share from 0 to 1: `93 %`.
    static func wholePercent(_ share: Double) -> String { "\(Self.integer(share * 100)) %" }

    /// `12.5`.
    static func tenths(_ value: Double) -> String {
        let tenths = Self.integer(value * 10)
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// `0.25`.
    static func hundredths(_ value: Double) -> String {
        let hundredths = Self.integer(value * 100)
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }

    /// What a file says may be anything.
    private static func integer(_ value: Double) -> Int { Int(exactly: value.rounded()) ?? 0 }
}
