import Foundation
public import NetworkModel

extension Network {
    /// A network that has a name, or the one that a JSON file describes.
    /// - Parameter text: what is no known name is a path.
    /// - Throws: `NetworkError` with `usage` or `unreadable`, whose message names the field, its value and what is
    ///   allowed.
    public init(nameOrFile text: String) throws(NetworkError) {
        if let network = Self.named.first(where: { $0.name == text }) {
            self = network
            return
        }
        guard text.contains("/") || text.contains(".") || access(text, F_OK) == 0 else {
            let names = Self.named.map(\.name).joined(separator: ", ")
            throw NetworkError(
                .usage,
                "\(text.debugDescription) is no network; there are \(names), or name a JSON file"
            )
        }
        try self.init(file: text)
    }

    /// - Throws: `NetworkError` with `usage` or `unreadable`.
    init(file: String) throws(NetworkError) {
        let content = try BoundedFile.read(file, limit: LinkLimits.networkFileBytes)
        let value: JSONValue
        do {
            value = try JSONDecoder().decode(JSONValue.self, from: content)
        } catch {
            throw NetworkError(.usage, "\(file) is not valid JSON (RFC 8259)")
        }
        var fields = try FieldReader(value, file: file)
        let name = try fields.string("name", longest: LinkLimits.nameBytes)
        let both = try fields.object("both")
        let up = try fields.object("up")
        let down = try fields.object("down")
        try fields.finish(known: "name, and either up and down, or both")
        switch (both, up, down) {
        case (let both?, nil, nil):
            let link = try Link(both, file: file)
            self.init(name: name ?? Self.name(of: file), up: link, down: link)
        case (nil, let up?, let down?):
            let links = (try Link(up, file: file), try Link(down, file: file))
            self.init(name: name ?? Self.name(of: file), up: links.0, down: links.1)
        default:
            throw fields.missing("it must have either up and down, or both")
        }
    }

    private static func name(of file: String) -> String {
        URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent
    }
}
