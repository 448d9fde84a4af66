/// The program that has measured.
public struct ClientFacts: Sendable, Hashable, Codable {
    /// `apus`; `chromium` or `firefox` that it has started; or `browser` of a lab page.
    public var program: String
    /// A browser's is what it calls itself (`navigator.userAgent`).
    public var version: String

    public init(program: String, version: String) {
        (self.program, self.version) = (program, version)
    }
}
