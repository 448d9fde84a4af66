import Credentials
import Foundation
import HTTPSemantics
import HTTPTypes
import NIOCore
import Synchronization

/// What GET and HEAD find, alike over HTTP/1.1, HTTP/2 and HTTP/3.
final class Site: Sendable {
    private let lab: LabPage
    private let identities: IdentityStore
    private let body: BodyResource?
    private let sessionPaths: Set<String>
    /// Known when all listeners are open.
    private let ports = Mutex<(quic: Int, http: Int)>((0, 0))

    /// - Parameter sessionPaths: paths that have nothing for GET, and sessions instead.
    init(lab: LabPage, identities: IdentityStore, sessionPaths: Set<String>, includesTestEndpoints: Bool) {
        self.lab = lab
        self.identities = identities
        self.sessionPaths = sessionPaths
        self.body = includesTestEndpoints ? BodyResource() : nil
    }

    func listening(port: Int, httpPort: Int) {
        self.ports.withLock { $0 = (port, httpPort) }
    }

    func response(to request: HTTPRequest) -> ResourceResponse {
        let (path, query) = Query.split(request.path ?? "/")
        switch path {
        case "/healthz":
            return .text(.ok, "ok")
        case "/api/certificate":
            return self.certificates
        case "/test/body":
            return self.body?.response(query) ?? Self.nothing
        default:
            return self.lab.response(for: path) ?? (self.sessionPaths.contains(path) ? Self.onlySessions : Self.nothing)
        }
    }

    private static let onlySessions = ResourceResponse.text(
        .notFound,
        "There is nothing to read at this path: open a session here, with WebTransport or WebSocket.\n"
    )
    private static let nothing = ResourceResponse.text(.notFound, "There is nothing at this path.\n")

    /// The hashes for `serverCertificateHashes`, the current one first.
    private var certificates: ResourceResponse {
        struct Answer: Encodable {
            struct Certificate: Encodable {
                var sha256: String
                var base64: String
                var notAfter: Date
                /// Whether `serverCertificateHashes` may name it; one that may not needs an authority's signature.
                var trustedByHash: Bool
            }
            var port: Int
            var httpPort: Int
            var certificates: [Certificate]
        }
        let ports = self.ports.withLock { $0 }
        let answer = Answer(
            port: ports.quic,
            httpPort: ports.http,
            certificates: self.identities.offered().map {
                .init(
                    sha256: $0.fingerprint.hexadecimal,
                    base64: $0.fingerprint.base64,
                    notAfter: Date(timeIntervalSince1970: Double($0.notValidAfter)),
                    trustedByHash: $0.isTrustedByFingerprint
                )
            }
        )
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            var response = ResourceResponse(
                status: .ok,
                contentType: "application/json",
                body: ByteBuffer(bytes: try encoder.encode(answer))
            )
            response.head.headerFields[.cacheControl] = "no-store"
            // The hash of a public certificate is no secret; pages on other origins need it to connect.
            response.head.headerFields[.accessControlAllowOrigin] = "*"
            return response
        } catch {
            return .text(.internalServerError, "\(error)\n")
        }
    }
}
