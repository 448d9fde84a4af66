package import HTTPTypes
import NIOCore

/// Answers requests for resources alike over every version of HTTP: methods, HEAD, lengths, and pages of other origins.
package struct ResourceResponder: Sendable {
    /// What a page may ask for.
    private static let methods = "GET, HEAD"

    private let resources: ResourceHandler
    private let originPolicy: OriginPolicy

    package init(_ resources: @escaping ResourceHandler, originPolicy: OriginPolicy) {
        self.resources = resources
        self.originPolicy = originPolicy
    }

    /// The whole response, with its length; the body is empty for HEAD.
    package func response(to request: HTTPRequest) -> ResourceResponse {
        var response = self.answer(request)
        self.share(&response, with: request)
        // RFC 9110 § 8.6: no length with 204.
        if response.head.status != .noContent {
            response.head.headerFields[.contentLength] = "\(response.body.readableBytes)"
        }
        if request.method == .head { response.body = ByteBuffer() }
        return response
    }

    private func answer(_ request: HTTPRequest) -> ResourceResponse {
        if request.method == .get || request.method == .head { return self.resources(request) }
        if request.isPreflight { return self.answerPreflight(request) }
        var response = ResourceResponse.text(.methodNotAllowed, "only GET and HEAD are answered here\n")
        // RFC 9110 § 15.5.6.
        response.head.headerFields[.allow] = Self.methods
        return response
    }

    /// Whether a page may make a request that it could not make by itself (Fetch § 3.3.2).
    private func answerPreflight(_ request: HTTPRequest) -> ResourceResponse {
        do {
            try self.originPolicy.check(origin: request.headerFields[.origin], authority: request.authority)
        } catch {
            return .text(.forbidden, "\(error)\n")
        }
        var response = ResourceResponse(head: HTTPResponse(status: .noContent))
        response.head.headerFields[.accessControlAllowMethods] = Self.methods
        // No field is looked at here, so that any may be sent.
        response.head.headerFields[.accessControlAllowHeaders] = request.headerFields[.accessControlRequestHeaders]
        // Long enough for a page's requests, short enough to see a change of the list.
        response.head.headerFields[.accessControlMaxAge] = "600"
        return response
    }

    /// Lets pages read the response that the policy allows (Fetch § 3.3.3). A resource that shares itself is left
    /// alone.
    private func share(_ response: inout ResourceResponse, with request: HTTPRequest) {
        guard response.head.headerFields[.accessControlAllowOrigin] == nil else { return }
        response.head.headerFields.append(HTTPField(name: .vary, value: "Origin"))
        // Without the field a browser keeps the response from the page.
        guard let origin = request.headerFields[.origin],
            self.originPolicy.allows(origin: origin, authority: request.authority)
        else { return }
        response.head.headerFields[.accessControlAllowOrigin] = origin
    }
}

extension HTTPRequest {
    /// Whether a browser asks before it makes a page's request (Fetch § 3.3.2).
    fileprivate var isPreflight: Bool {
        self.method == .options && self.headerFields[.origin] != nil
            && self.headerFields[.accessControlRequestMethod] != nil
    }
}
