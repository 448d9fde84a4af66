/// Rows of text under a heading, in columns: the first to the left, the others to the right.
struct TextTable {
    private(set) var rows: [[String]]

    init(heading: [String]) {
        self.rows = [heading]
    }

    /// - Precondition: as many cells as the heading has.
    mutating func append(_ row: [String]) {
        precondition(row.count == self.rows[0].count, "every row has a cell for each column")
        self.rows.append(row)
    }

    var lines: [String] {
        let widths = self.rows[0].indices.map { column in self.rows.map { $0[column].count }.max() ?? 0 }
        return self.rows.map { row in
            zip(row, widths).enumerated().map { column, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 0 ? cell.0 + padding : padding + cell.0
            }.joined(separator: "  ")
        }
    }
}
