import Glibc

/// A pipe whose ends no program inherits, except as what it is given.
struct PrivatePipe {
    let readEnd: CInt
    let writeEnd: CInt

    /// - Throws: `BenchmarkError` with `unavailable`.
    init() throws(BenchmarkError) {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw BenchmarkError(.unavailable, "a pipe cannot be made: \(String(cString: strerror(errno)))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (self.readEnd, self.writeEnd) = (ends[0], ends[1])
    }
}
