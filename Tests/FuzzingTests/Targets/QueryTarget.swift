import Foundation

@testable import ApusServer

extension FuzzTarget {
    /// The target of a request: a path, and what the endpoints read from its query.
    static let queries = FuzzTarget("queries") { input in
        let target = String(decoding: input, as: UTF8.self)
        let (path, query) = Query.split(target)
        try require(!path.utf8.contains(UInt8(ascii: "?")), "a path ends before its query")
        try require(target.utf8.starts(with: path.utf8), "a path is the target's beginning")
        for (name, value) in query.pairs {
            let last = query.pairs.last { $0.name == name }?.value
            try requireEqual(query[name], last, "a parameter, and the last of its name")
            if let number = query.number(name, in: -7...7, default: 0) {
                try require((-7...7).contains(number), "\(value) is a number in its range")
            }
        }
        let again = Query.split(path + "?" + Self.encoded(query)).query
        try requireEqual(again.pairs.map(\.name), query.pairs.map(\.name), "names written and read, and themselves")
        try requireEqual(again.pairs.map(\.value), query.pairs.map(\.value), "values written and read, and themselves")
        let folder = InteropExchange.endpoint(of: target)
        try require(folder?.utf8.contains(UInt8(ascii: "/")) != true, "an endpoint is one folder")
    }

    private static func encoded(_ query: Query) -> String {
        func escaped(_ text: String) -> String {
            text.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        return query.pairs.map { "\(escaped($0.name))=\(escaped($0.value))" }.joined(separator: "&")
    }
}
