/// The names of all metadata that this module logs.
enum LoggingKeys {
    static let error = "error"
    static let settings = "settings"
    static let dialect = "dialect"
    static let sessions = "sessions"
}
