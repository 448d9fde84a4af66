/// Lists of names, separated by commas, on the command line.
enum NamedList {
    /// - Parameter kind: what each name stands for, in a word.
    /// - Throws: `BenchmarkError` with `usage` when a name is unknown or repeated, or there is none.
    static func read<Element: RawRepresentable<String> & CaseIterable & Hashable>(
        _ text: String,
        of kind: String
    ) throws(BenchmarkError) -> [Element] {
        var elements: [Element] = []
        let choice = "choose from " + Element.allCases.map(\.rawValue).joined(separator: ",")
        for name in text.split(separator: ",") {
            guard let element = Element(rawValue: String(name)) else {
                throw BenchmarkError(.usage, "\(String(name).debugDescription) is no \(kind); \(choice)")
            }
            guard !elements.contains(element) else {
                throw BenchmarkError(.usage, "\(element.rawValue) is named twice; name each \(kind) once")
            }
            elements.append(element)
        }
        guard !elements.isEmpty else { throw BenchmarkError(.usage, "no \(kind) is named; \(choice)") }
        return elements
    }
}
