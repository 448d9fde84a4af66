/// The names of this module's log metadata.
enum LoggingKeys {
    static let address = "address"
    static let error = "error"
    static let origin = "origin"
    static let path = "path"
    static let reason = "reason"
    static let remote = "remote"
    static let status = "status"
}
