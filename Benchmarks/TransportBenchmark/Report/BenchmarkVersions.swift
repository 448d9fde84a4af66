import CGnuTLS
import CNghttp3
import CNgtcp2

/// The software that was measured, on the client's side.
public struct BenchmarkVersions: Sendable, Hashable, Codable {
    public var apus: String
    public var ngtcp2: String
    public var nghttp3: String
    public var gnutls: String
    /// `release` or `debug`.
    public var build: String

    /// The versions of the libraries that are loaded, which need not be those of the headers.
    public static func current(apus: String) -> BenchmarkVersions {
        // Zero asks for any version: the answer is never null. Both strings are constants of the libraries.
        let ngtcp2 = ngtcp2_version(0).flatMap { $0.pointee.version_str }.map { String(cString: $0) }
        let nghttp3 = nghttp3_version(0).flatMap { $0.pointee.version_str }.map { String(cString: $0) }
        let gnutls = gnutls_check_version(nil).map { String(cString: $0) }
        #if DEBUG
        let build = "debug"
        #else
        let build = "release"
        #endif
        return BenchmarkVersions(
            apus: apus,
            ngtcp2: ngtcp2 ?? "unknown",
            nghttp3: nghttp3 ?? "unknown",
            gnutls: gnutls ?? "unknown",
            build: build
        )
    }
}
