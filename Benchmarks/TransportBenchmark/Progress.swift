import Glibc
import Synchronization

/// Learns how far a measurement has come.
public protocol ProgressReporting: Sendable {
    /// Called between measurements, never during one.
    /// - Parameters:
    ///   - activity: what is being done, in a few words.
    ///   - done: how many of `total` steps of this activity are behind.
    func update(_ activity: String, _ done: Int, of total: Int)
}

/// Progress on standard error: a bar that redraws itself on a terminal, else one line for each activity.
public final class StandardErrorProgress: ProgressReporting {
    private let isTerminal: Bool
    private let activity = Mutex("")

    public init() {
        self.isTerminal = isatty(STDERR_FILENO) == 1
    }

    public func update(_ activity: String, _ done: Int, of total: Int) {
        if self.isTerminal {
            // Erases what a longer line left behind (ECMA-48, EL).
            Self.write("\r\(ProgressBar.text(activity, done, of: total))\u{1b}[K")
            return
        }
        let isNew = self.activity.withLock { current in
            defer { current = activity }
            return current != activity
        }
        if isNew { Self.write("\(activity) …\n") }
    }

    /// Removes the bar.
    public func finish() {
        if self.isTerminal { Self.write("\r\u{1b}[K") }
    }

    private static func write(_ text: String) {
        // Progress that cannot be shown is not worth an error.
        _ = text.utf8CString.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count - 1) }
    }
}

/// Progress as one line of text.
enum ProgressBar {
    private static let width = 30

    static func text(_ activity: String, _ done: Int, of total: Int) -> String {
        let share = total > 0 ? min(1, Double(done) / Double(total)) : 1
        let filled = Int(share * Double(Self.width))
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.width - filled)
        return "\(bar) \(Int(share * 100)) %  \(activity)"
    }
}
