import Foundation
import HTTPSemantics
import HTTPTypes
import NIOCore
import WebTransport

/// A path under `/test`: what its query says is read once, and refused with 400 when it makes no sense.
protocol TestEndpoint: WebTransportRoute {
    associatedtype Parameters: Sendable

    func parameters(_ query: Query) throws(Query.Invalid) -> Parameters
    func admission(_ request: HTTPRequest, _ parameters: Parameters) -> SessionAdmission
    func serve(_ session: WebTransportSession, _ parameters: Parameters) async throws
}

extension TestEndpoint {
    func admission(_ request: HTTPRequest, _ parameters: Parameters) -> SessionAdmission { .accept() }

    func admission(_ request: HTTPRequest, _ query: Query) -> SessionAdmission {
        do throws(Query.Invalid) {
            return self.admission(request, try self.parameters(query))
        } catch {
            return .refuse(.badRequest, reason: error.reason)
        }
    }

    func serve(_ session: WebTransportSession, _ query: Query) async throws {
        try await self.serve(session, try self.parameters(query))
    }
}

extension WebTransportSession {
    /// Sends text on a unidirectional stream of its own.
    func answer(_ text: String) async throws {
        let stream = try await self.openUnidirectionalStream()
        try await stream.write(ByteBuffer(string: text))
        stream.finish()
    }

    /// Sends JSON on a unidirectional stream of its own.
    func answer(json value: some Encodable) async throws {
        try await self.answer(try Self.json(value))
    }

    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
