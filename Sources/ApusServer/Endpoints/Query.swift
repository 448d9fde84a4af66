import Foundation

/// The query of a request target: `name=value` pairs, percent-encoded (WHATWG URL § 5.1).
struct Query: Sendable {
    /// In order.
    let pairs: [(name: String, value: String)]

    /// What is wrong with a query, in one sentence.
    struct Invalid: Error {
        var reason: String
    }

    /// The path of a request target, and its query.
    static func split(_ target: String) -> (path: String, query: Query) {
        // By bytes: a mark that combines with what follows makes `?` a part of another character.
        let end = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        return (String(target[..<end]), Query(target.utf8[end...].dropFirst()))
    }

    private init(_ text: Substring.UTF8View) {
        self.pairs = text.split(separator: UInt8(ascii: "&")).map { pair in
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return (Self.decoded(parts[0]), parts.count > 1 ? Self.decoded(parts[1]) : "")
        }
    }

    private static func decoded(_ part: Substring.UTF8View) -> String {
        let (plus, space) = (UInt8(ascii: "+"), UInt8(ascii: " "))
        let spaced = String(decoding: part.map { $0 == plus ? space : $0 }, as: UTF8.self)
        return spaced.removingPercentEncoding ?? spaced
    }

    /// The last one counts.
    subscript(name: String) -> String? { self.pairs.last { $0.name == name }?.value }

    /// A number in a range, its default when it is absent, or nil when it is none.
    func number(_ name: String, in range: ClosedRange<Int>, default fallback: Int) -> Int? {
        guard let text = self[name] else { return fallback }
        return Int(text).flatMap { range.contains($0) ? $0 : nil }
    }

    // MARK: Strict reading

    /// Whoever misspells a name gets an error instead of a default.
    func allow(_ names: String...) throws(Invalid) {
        for (name, _) in self.pairs where !names.contains(name) {
            let known = names.isEmpty ? "it takes none" : "there are " + names.joined(separator: ", ")
            throw Invalid(reason: "\(name.debugDescription) is no parameter of this path; \(known)")
        }
    }

    func integer(_ name: String, in range: ClosedRange<Int>, default fallback: Int) throws(Invalid) -> Int {
        guard let number = self.number(name, in: range, default: fallback) else {
            throw Invalid(reason: "\(name) must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// An application's error code.
    func code(_ name: String = "code") throws(Invalid) -> UInt32 {
        UInt32(try self.integer(name, in: 0...Int(UInt32.max), default: 0))
    }

    /// `0` or `1`.
    func flag(_ name: String) throws(Invalid) -> Bool {
        try self.integer(name, in: 0...1, default: 0) == 1
    }

    /// One of a few words, the first one when it is absent.
    func word<Word: RawRepresentable & CaseIterable>(
        _ name: String
    ) throws(Invalid) -> Word where Word.RawValue == String {
        let words = Array(Word.allCases)
        guard let text = self[name] else { return words[0] }
        guard let word = Word(rawValue: text) else {
            throw Invalid(reason: "\(name) must be one of \(words.map(\.rawValue).joined(separator: ", "))")
        }
        return word
    }
}
