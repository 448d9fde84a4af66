extension TextTable {
    /// The first column are names, the others figures.
    func html(_ caption: String) -> String {
        let body = self.rows.dropFirst().map { Self.row($0, of: "td", scope: "row") }.joined(separator: "\n")
        return """
            <div class="scroll"><table>
            <caption>\(HTMLText.escape(caption))</caption>
            <thead>\(Self.row(self.rows[0], of: "th", scope: "col"))</thead>
            <tbody>
            \(body)
            </tbody>
            </table></div>
            """
    }

    private static func row(_ cells: [String], of tag: String, scope: String) -> String {
        let html = cells.enumerated().map { column, text in
            column == 0
                ? "<th scope=\"\(scope)\">\(HTMLText.escape(text))</th>" : "<\(tag)>\(HTMLText.escape(text))</\(tag)>"
        }
        return "<tr>\(html.joined())</tr>"
    }
}
