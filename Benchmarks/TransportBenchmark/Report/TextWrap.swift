/// Text in lines of a terminal's width.
enum TextWrap {
    /// - Parameters:
    ///   - first: what the first line begins with.
    ///   - next: what the others begin with.
    static func lines(_ text: String, first: String, next: String, width: Int = 80) -> [String] {
        var lines = [first]
        var isEmpty = true
        for word in text.split(separator: " ") {
            if !isEmpty, lines[lines.count - 1].count + 1 + word.count > width {
                lines.append(next)
                isEmpty = true
            }
            lines[lines.count - 1] += (isEmpty ? "" : " ") + word
            isEmpty = false
        }
        return lines
    }
}
