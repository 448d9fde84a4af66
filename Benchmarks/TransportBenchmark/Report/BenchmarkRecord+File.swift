import Foundation

extension BenchmarkRecord {
    /// A hundred times what a run of everything takes.
    private static let largestFile = 256 << 20

    /// Reads what `json` has made.
    /// - Throws: `BenchmarkError` with `unreadable` that says what is wrong with the file.
    public init(reading path: String) throws(BenchmarkError) {
        struct Version: Decodable { var schemaVersion: Int }
        let data: Data
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? file.close() }
            data = try file.read(upToCount: Self.largestFile + 1) ?? Data()
        } catch {
            throw BenchmarkError(
                .unreadable,
                "\(path) cannot be read; name a file that `apus bench --json` has written"
            )
        }
        guard data.count <= Self.largestFile else {
            throw BenchmarkError(.unreadable, "\(path) is too large for a file of `apus bench --json`")
        }
        let decoder = JSONDecoder()
        let version = (try? decoder.decode(Version.self, from: data))?.schemaVersion
        guard let version else {
            throw BenchmarkError(.unreadable, "\(path) is no file of `apus bench --json`, or of the lab page")
        }
        guard version == Self.schemaVersion else {
            throw BenchmarkError(
                .unreadable,
                "\(path) has version \(version) of the format, and this program reads \(Self.schemaVersion); measure again, "
                    + "or use the program that wrote it"
            )
        }
        do {
            self = try decoder.decode(Self.self, from: data)
        } catch {
            throw BenchmarkError(.unreadable, "\(path) is damaged: \(error)")
        }
    }
}
