import NetworkModel

extension Trace {
    private static let columns = [
        "timeMilliseconds", "delayMilliseconds", "jitterMilliseconds", "loss", "bandwidthMegabits",
    ]

    /// Reads a CSV file (RFC 4180, without quotes): a heading that names the columns, of which the time must be there,
    /// then rows whose times rise. An empty cell leaves the link as it is configured.
    /// - Throws: `NetworkError` with `usage` or `unreadable`.
    init(file: String) throws(NetworkError) {
        let content = try BoundedFile.read(file, limit: LinkLimits.traceFileBytes)
        let lines = String(decoding: content, as: UTF8.self)
            .split(omittingEmptySubsequences: false) { $0.isNewline }
        let heading = (lines.first ?? "").split(separator: ",", omittingEmptySubsequences: false).map(Self.trimmed)
        guard
            heading.contains(Self.columns[0]), Set(heading).count == heading.count,
            heading.allSatisfy(Self.columns.contains)
        else {
            throw NetworkError(
                .usage,
                "\(file): line 1 must name the columns, \(Self.columns[0]) and any of "
                    + Self.columns.dropFirst().joined(separator: ", ")
            )
        }
        var rows: [Row] = []
        for (index, line) in lines.enumerated().dropFirst() where !Self.trimmed(line).isEmpty {
            let cells = TraceCells(line, heading: heading, place: "\(file): line \(index + 1)")
            let row = try Row(cells, after: rows.last?.time)
            rows.append(row)
            guard rows.count <= LinkLimits.traceRows else {
                throw NetworkError(.usage, "\(file) has more than \(LinkLimits.traceRows) rows, which is the most")
            }
        }
        guard !rows.isEmpty else { throw NetworkError(.usage, "\(file) has no rows after its heading") }
        self.init(rows: rows)
    }

    fileprivate static func trimmed(_ text: some StringProtocol) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}

extension Trace.Row {
    fileprivate init(_ cells: TraceCells, after previous: Int64?) throws(NetworkError) {
        guard let time = try cells.number("timeMilliseconds", LinkLimits.traceMilliseconds) else {
            throw NetworkError(.usage, "\(cells.place): timeMilliseconds is missing")
        }
        self.init(
            time: Int64(milliseconds: time),
            delay: try cells.number("delayMilliseconds", LinkLimits.delayMilliseconds).map(Int64.init(milliseconds:)),
            jitter: try cells.number("jitterMilliseconds", LinkLimits.delayMilliseconds).map(Int64.init(milliseconds:)),
            loss: try cells.number("loss", LinkLimits.probability),
            bandwidth: try cells.number("bandwidthMegabits", LinkLimits.bandwidthMegabits).map(Int64.init(megabits:))
        )
        if let previous, self.time <= previous {
            throw NetworkError(
                .usage,
                "\(cells.place): timeMilliseconds is \(FieldReader.text(time)); it must be above that of the row before"
            )
        }
    }
}

/// The cells of one line under the names of their columns.
private struct TraceCells {
    let place: String
    private let cells: [String: String]

    init(_ line: some StringProtocol, heading: [String], place: String) {
        let cells = line.split(separator: ",", omittingEmptySubsequences: false).map { Trace.trimmed($0) }
        self.cells = Dictionary(uniqueKeysWithValues: zip(heading, cells))
        self.place = place
    }

    /// - Returns: nil when the cell is empty or missing.
    func number(_ column: String, _ range: ClosedRange<Double>) throws(NetworkError) -> Double? {
        guard let cell = self.cells[column], !cell.isEmpty else { return nil }
        // What is not a number (NaN) is in no range.
        guard let number = Double(cell), range.contains(number) else {
            throw NetworkError(
                .usage,
                "\(self.place): \(column) is \(String(cell.prefix(40)).debugDescription); it must be a number from "
                    + "\(FieldReader.text(range.lowerBound)) to \(FieldReader.text(range.upperBound))"
            )
        }
        return number
    }
}
