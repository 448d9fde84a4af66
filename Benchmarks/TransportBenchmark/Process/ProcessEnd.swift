/// How a process has ended.
public enum ProcessEnd: Sendable, Hashable, CustomStringConvertible {
    case exited(CInt)
    case signalled(CInt)

    /// - Parameter status: of wait(2): the low seven bits hold the signal that ended it, if any; the next byte its exit
    ///   code.
    init(status: CInt) {
        let signal = status & 0x7f
        self = signal == 0 ? .exited(status >> 8 & 0xff) : .signalled(signal)
    }

    public var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .signalled(let number): "signal \(number)"
        }
    }
}
