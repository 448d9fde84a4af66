/// The names of all metadata that this module logs.
enum LoggingKeys {
    static let error = "error"
    static let path = "path"
}
