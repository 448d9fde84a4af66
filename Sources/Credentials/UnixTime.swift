import Glibc

/// The system's clock, for callers that do not bring their own.
enum UnixTime {
    /// Seconds since the epoch.
    static var now: Int64 { Int64(time(nil)) }

    /// A time for people, in UTC, such as `2026-03-01 12:00:00 UTC`.
    static func formatted(_ seconds: Int64) -> String {
        var clock = time_t(seconds)
        var parts = tm()
        guard gmtime_r(&clock, &parts) != nil else { return "\(seconds) s after the epoch" }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            let length = strftime(text.baseAddress!, text.count, "%Y-%m-%d %H:%M:%S UTC", &parts)
            return String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}
