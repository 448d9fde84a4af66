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
        let end = target.firstIndex(of: "?") ?? target.endIndex
        return (String(target[..<end]), Query(target[end...].dropFirst()))
    }

    private init(_ text: Substring) {
        self.pairs = text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { part in
                let spaced = part.replacing("+", with: " ")
                return spaced.removingPercentEncoding ?? String(spaced)
            }
            return (parts[0], parts.count > 1 ? parts[1] : "")
        }
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
