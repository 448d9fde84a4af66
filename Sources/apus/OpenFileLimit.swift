import Foundation

/// How many descriptors the process may have, of which each connection over TCP takes one (getrlimit(2)).
enum OpenFileLimit {
    /// Raises the soft limit to the hard one. It is often 1,024, for programs with select(2), of which this is none.
    /// - Returns: what holds now.
    static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return .max }
        let (former, most) = (limit.rlim_cur, limit.rlim_max)
        limit.rlim_cur = most
        let isRaised = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        return Int(clamping: isRaised ? most : former)
    }
}
