/// The names of all metadata that this module logs.
enum LoggingKeys {
    static let error = "error"
    static let remote = "remote"
    static let path = "path"
    static let origin = "origin"
    static let authority = "authority"
    static let session = "session"
    static let reason = "reason"
    static let status = "status"
    static let settings = "settings"
    static let dialect = "dialect"
    static let sessions = "sessions"
}
