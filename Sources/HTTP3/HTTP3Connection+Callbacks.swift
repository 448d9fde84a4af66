import CNghttp3
import DequeModule
import HTTPTypes
import NIOCore

// The boundary to nghttp3. Every thunk recovers its connection, converts, and leaves the result in it.

extension HTTP3Connection {
    /// The library's user data: this object, which it does not own. `deinit` frees the library's handle first.
    var userData: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    private static func from(_ userData: UnsafeMutableRawPointer?) -> HTTP3Connection {
        // Set at creation, hence never nil.
        Unmanaged.fromOpaque(userData!).takeUnretainedValue()
    }

    static func callbacks() -> nghttp3_callbacks {
        var callbacks = nghttp3_callbacks()
        callbacks.begin_headers = { _, id, userData, _ in
            HTTP3Connection.from(userData).sectionBegan(id)
            return 0
        }
        callbacks.recv_header = { _, id, _, name, value, _, userData, _ in
            HTTP3Connection.from(userData).fieldReceived(id, name: text(name), value: text(value))
            return 0
        }
        callbacks.end_headers = { _, id, _, userData, _ in
            HTTP3Connection.from(userData).sectionEnded(id)
            return 0
        }
        callbacks.recv_data = { _, id, bytes, count, userData, _ in
            let connection = HTTP3Connection.from(userData)
            let data = ByteBuffer(bytes: UnsafeRawBufferPointer(start: bytes, count: count))
            connection.events.append(.data(streamID: id, data))
            return 0
        }
        callbacks.deferred_consume = { _, id, count, userData, _ in
            HTTP3Connection.from(userData).credits.append((id, count))
            return 0
        }
        callbacks.acked_stream_data = { _, id, count, userData, _ in
            HTTP3Connection.from(userData).bodies[id]?.release(Int(count))
            return 0
        }
        callbacks.end_stream = { _, id, userData, _ in
            HTTP3Connection.from(userData).events.append(.end(streamID: id))
            return 0
        }
        callbacks.stop_sending = { _, id, code, userData, _ in
            HTTP3Connection.from(userData).events.append(.stopDemanded(streamID: id, code: code))
            return 0
        }
        callbacks.reset_stream = { _, id, code, userData, _ in
            HTTP3Connection.from(userData).events.append(.resetDemanded(streamID: id, code: code))
            return 0
        }
        callbacks.shutdown = { _, id, userData in
            HTTP3Connection.from(userData).events.append(.goaway(limit: id))
            return 0
        }
        return callbacks
    }

    private static let readData: nghttp3_read_data_callback = { _, id, vectors, _, flags, userData, _ in
        HTTP3Connection.from(userData).lendData(of: id, to: vectors!, flags: flags!)
    }

    private func sectionBegan(_ id: Int64) {
        if let section = self.sections.updateValue(FieldSection(), forKey: id) {
            self.sectionByteCount -= section.heldByteCount
        }
    }

    private func fieldReceived(_ id: Int64, name: String, value: String) {
        guard var section = self.sections.removeValue(forKey: id) else { return }
        let before = section.heldByteCount
        section.append(name: name, value: value)
        self.sectionByteCount += section.heldByteCount - before
        self.sections[id] = section
    }

    private func sectionEnded(_ id: Int64) {
        guard let section = self.sections.removeValue(forKey: id) else { return }
        self.sectionByteCount -= section.heldByteCount
        if section.isTooLarge {
            self.events.append(.fieldsTooLarge(streamID: id))
        } else if self.isServer {
            if let request = section.request {
                self.events.append(.request(streamID: id, request))
            } else {
                // RFC 9114 § 4.1.2: a request that makes no sense is malformed, and its stream is given up.
                let code = HTTP3ErrorCode.messageError.rawValue
                self.events.append(.stopDemanded(streamID: id, code: code))
                self.events.append(.resetDemanded(streamID: id, code: code))
            }
        } else if let response = section.response, response.status.kind != .informational {
            self.events.append(.response(streamID: id, response))
        }
    }

    /// Lends the library the next chunk of a body, until it has been copied out by `nextOutput`.
    private func lendData(
        of id: Int64,
        to vectors: UnsafeMutablePointer<nghttp3_vec>,
        flags: UnsafeMutablePointer<UInt32>
    ) -> nghttp3_ssize {
        guard let body = self.bodies[id] else {
            flags.pointee |= UInt32(NGHTTP3_DATA_FLAG_EOF)
            return 0
        }
        guard let chunk = body.lend(atMost: self.chunkSize) else {
            guard body.isFinished else { return nghttp3_ssize(NGHTTP3_ERR_WOULDBLOCK) }
            flags.pointee |= UInt32(NGHTTP3_DATA_FLAG_EOF)
            return 0
        }
        chunk.withUnsafeReadableBytes { bytes in
            let start = UnsafeMutableRawPointer(mutating: bytes.baseAddress!).assumingMemoryBound(to: UInt8.self)
            vectors.pointee = nghttp3_vec(base: start, len: bytes.count)
        }
        if body.isFinished, body.waiting.isEmpty { flags.pointee |= UInt32(NGHTTP3_DATA_FLAG_EOF) }
        return 1
    }

    func withDataReader<Result>(_ body: (UnsafePointer<nghttp3_data_reader>) -> Result) -> Result {
        var reader = nghttp3_data_reader(read_data: Self.readData)
        return body(&reader)
    }

    /// Lends field lines to the library, which copies them.
    func withFieldLines<Result>(
        _ lines: [(name: String, value: String)],
        _ body: (UnsafePointer<nghttp3_nv>, Int) -> Result
    ) -> Result {
        var bytes: [UInt8] = []
        for line in lines {
            bytes += line.name.utf8
            bytes += line.value.utf8
        }
        return bytes.withUnsafeMutableBufferPointer { bytes in
            var offset = 0
            func take(_ count: Int) -> UnsafeMutablePointer<UInt8>? {
                defer { offset += count }
                return bytes.baseAddress?.advanced(by: offset)
            }
            let vectors = lines.map { line in
                let (nameSize, valueSize) = (line.name.utf8.count, line.value.utf8.count)
                return nghttp3_nv(
                    name: take(nameSize),
                    value: take(valueSize),
                    namelen: nameSize,
                    valuelen: valueSize,
                    flags: UInt8(NGHTTP3_NV_FLAG_NONE)
                )
            }
            return vectors.withUnsafeBufferPointer { body($0.baseAddress!, $0.count) }
        }
    }
}

private func text(_ buffer: OpaquePointer?) -> String {
    let bytes = nghttp3_rcbuf_get_buf(buffer)
    return String(decoding: UnsafeBufferPointer(start: bytes.base, count: bytes.len), as: UTF8.self)
}
