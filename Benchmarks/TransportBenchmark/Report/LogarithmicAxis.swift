import Glibc

/// Durations laid out on columns, each decade equally wide, with marks at 1, 2 and 5 of each, or at all digits.
struct LogarithmicAxis {
    private let low: Double
    private let high: Double
    private let width: Int

    /// - Parameters:
    ///   - lowest: in nanoseconds; zero counts as one.
    ///   - highest: in nanoseconds.
    ///   - width: the number of columns, at least two; nil results from less.
    init?(from lowest: UInt64, to highest: UInt64, width: Int) {
        guard width >= 2, lowest <= highest else { return nil }
        self.low = log10(Double(max(1, lowest)))
        // A single value still needs a length.
        self.high = max(log10(Double(max(1, highest))), self.low + 0.01)
        self.width = width
    }

    /// The column of a duration in nanoseconds, from 0 to the width less one.
    func column(_ nanoseconds: UInt64) -> Int {
        let position = (log10(Double(max(1, nanoseconds))) - self.low) / (self.high - self.low)
        return min(self.width - 1, max(0, Int((position * Double(self.width - 1)).rounded())))
    }

    /// The marks that fit between both ends, in nanoseconds: more of each decade where there would be one at most.
    private var marks: [UInt64] {
        let few = self.marks(of: [1, 2, 5])
        return few.count > 1 ? few : self.marks(of: Array(1...9))
    }

    private func marks(of digits: [UInt64]) -> [UInt64] {
        var marks: [UInt64] = []
        var decade: UInt64 = 1
        // Ten seconds are beyond all that is measured here.
        while decade <= 10_000_000_000 {
            for mark in digits.map({ $0 * decade }) {
                let position = log10(Double(mark))
                if position >= self.low && position <= self.high { marks.append(mark) }
            }
            decade *= 10
        }
        return marks
    }

    /// The axis and its labels below. A label that would touch the one before it is left out.
    var lines: [String] {
        var line = [Character](repeating: "─", count: self.width)
        var labels = ""
        for mark in self.marks {
            let column = self.column(mark)
            line[column] = "┴"
            guard labels.isEmpty || column >= labels.count + 2 else { continue }
            labels += String(repeating: " ", count: column - labels.count) + DurationFormat.short(mark)
        }
        return [String(line), labels]
    }
}
