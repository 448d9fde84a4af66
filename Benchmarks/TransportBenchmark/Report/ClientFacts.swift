/// The program that has measured.
public struct ClientFacts: Sendable, Hashable, Codable {
    /// `apus`, or `browser`.
    public var program: String
    /// A browser's is what it calls itself (`navigator.userAgent`).
    public var version: String
}
