/// The fields of one JSON object of a file, each asked for once by its name.
///
/// Every error is one sentence that names the file, the field, its value and what is allowed.
struct FieldReader {
    private let file: String
    /// Where the object is, such as `up.`; empty for the outermost.
    private let path: String
    private var rest: [String: JSONValue]

    /// - Throws: `NetworkError` with `usage` when the value is no object.
    init(_ value: JSONValue, path: String = "", file: String) throws(NetworkError) {
        guard case .object(let fields) = value else {
            let place = path.isEmpty ? "the content" : String(path.dropLast())
            throw NetworkError(.usage, "\(file): \(place) is \(value.text); it must be an object")
        }
        self.file = file
        self.path = path
        self.rest = fields
    }

    func isPresent(_ name: String) -> Bool { self.rest[name] != nil }

    /// - Returns: nil when there is no such field.
    mutating func number(_ name: String, _ range: ClosedRange<Double>) throws(NetworkError) -> Double? {
        guard let value = self.rest.removeValue(forKey: name) else { return nil }
        guard case .number(let number) = value, range.contains(number) else {
            let (least, most) = (Self.text(range.lowerBound), Self.text(range.upperBound))
            throw self.refused(name, value, "a number from \(least) to \(most)")
        }
        return number
    }

    mutating func integer(_ name: String, _ range: ClosedRange<Int>) throws(NetworkError) -> Int? {
        guard let value = self.rest.removeValue(forKey: name) else { return nil }
        guard
            case .number(let number) = value, let integer = Int(exactly: number), range.contains(integer)
        else { throw self.refused(name, value, "a whole number from \(range.lowerBound) to \(range.upperBound)") }
        return integer
    }

    mutating func bool(_ name: String) throws(NetworkError) -> Bool? {
        guard let value = self.rest.removeValue(forKey: name) else { return nil }
        guard case .bool(let bool) = value else { throw self.refused(name, value, "true or false") }
        return bool
    }

    mutating func string(_ name: String, longest: Int) throws(NetworkError) -> String? {
        guard let value = self.rest.removeValue(forKey: name) else { return nil }
        guard case .string(let string) = value, (1...longest).contains(string.utf8.count),
            !string.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw self.refused(name, value, "a text of 1 to \(longest) bytes without control characters") }
        return string
    }

    mutating func object(_ name: String) throws(NetworkError) -> FieldReader? {
        guard let value = self.rest.removeValue(forKey: name) else { return nil }
        return try FieldReader(value, path: "\(self.path)\(name).", file: self.file)
    }

    /// A field that is a number or an object.
    mutating func numberOrObject(
        _ name: String,
        _ range: ClosedRange<Double>
    ) throws(NetworkError) -> (number: Double?, object: FieldReader?) {
        if case .object = self.rest[name] { return (nil, try self.object(name)) }
        return (try self.number(name, range), nil)
    }

    /// Refuses the fields that nobody asked for: one that is misspelt would have no effect.
    func finish(known: String) throws(NetworkError) {
        guard let name = self.rest.keys.min() else { return }
        throw NetworkError(
            .usage,
            "\(self.file): \(self.path)\(String(name.prefix(40)).debugDescription) is no field; there are \(known)"
        )
    }

    func missing(_ what: String) -> NetworkError {
        NetworkError(.usage, "\(self.file): \(self.path.isEmpty ? "" : "\(self.path.dropLast()): ")\(what)")
    }

    private func refused(_ name: String, _ value: JSONValue, _ allowed: String) -> NetworkError {
        NetworkError(.usage, "\(self.file): \(self.path)\(name) is \(value.text); it must be \(allowed)")
    }

    /// `0.001` or `100000`.
    static func text(_ bound: Double) -> String { JSONValue.number(bound).text }
}
