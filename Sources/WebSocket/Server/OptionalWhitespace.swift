extension String {
    /// Without the white space around it, which is no part of a field's value (RFC 9112 § 5.1). The parser leaves what
    /// stands behind it.
    var trimmingOptionalWhitespace: Substring {
        let isWhitespace = { (character: Character) in character == " " || character == "\t" }
        let start = self.drop(while: isWhitespace)
        return start[..<(start.lastIndex { !isWhitespace($0) }.map(start.index(after:)) ?? start.startIndex)]
    }
}
