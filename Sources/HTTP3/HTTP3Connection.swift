import CNghttp3
import DequeModule
package import HTTPTypes
package import NIOCore

/// HTTP/3 on one connection (RFC 9114): the owner of an nghttp3 connection. It knows streams by their IDs only.
///
/// Feed it with the bytes of streams that are HTTP/3's, take its events with `nextEvent`, its credits with
/// `nextCredit`, and the bytes to send with `nextOutput`. Output is copied out of the library and reported to it as
/// acknowledged at once: from then on it is the transport's to keep, and the library's view of offsets never meets the
/// settings that are spliced into its control stream.
///
/// Not `Sendable`: it belongs to its connection's thread.
package final class HTTP3Connection {
    private var handle: OpaquePointer?
    private var splicer: SettingsSplicer
    private var controlStreamID: Int64 = -1

    // What the callbacks leave behind.
    var events: Deque<HTTP3Event> = []
    var credits: Deque<(streamID: Int64, count: Int)> = []
    var sections: [Int64: FieldSection] = [:]
    /// What they hold together, in bytes as RFC 9114 § 4.2.2 counts them.
    var sectionByteCount = 0
    var bodies: [Int64: OutgoingBody] = [:]
    private var watches: [Int64: WatchBox] = [:]
    private var emptyFrameCount = 0
    /// Streams that the library knows by their priority alone.
    private var prioritizedStreams: Set<Int64> = []
    /// Twice as many as a client may open: those that are to come, and those that are there.
    private let maxPrioritizedStreams: Int

    /// Header sections that have begun and not ended. A field that refers to the peer's dynamic table is two bytes on
    /// the wire and up to 4 KiB here (RFC 9204 § 7.3.2): without a limit, a thousand requests that go no further cost
    /// 64 MB.
    private static let maxSectionBytes = 4 << 20

    /// Streams whose output the transport does not want now. `nghttp3_conn_resume_stream` would forget that it was
    /// blocked.
    private var blocked: Set<Int64> = []

    let isServer: Bool

    /// Parts of output that become one piece. A stream's output beyond the transport's watermark waits in
    /// `OutgoingBody`.
    private static let maxVectors = 16
    /// Bytes of a body that the library is lent at a time, which become a DATA frame. Buffers have a power of two: this
    /// leaves room for the frame's header and for most responses' fields.
    private static let maxChunk = (64 << 10) - 512
    /// Of smaller ones the library asks for several (NGHTTP3_MIN_UNSENT_BYTES).
    private static let minChunk = (8 << 10) - 512
    var chunkSize = HTTP3Connection.maxChunk

    /// - Parameters:
    ///   - additionalSettings: what the first SETTINGS frame says beside the library's own settings.
    ///   - maxRequests: how many bidirectional streams a client may open, for a server; see `allowRequests`.
    package init(
        isServer: Bool,
        additionalSettings: [Setting],
        maxRequests: UInt64 = 1 << 60
    ) throws(HTTP3Error) {
        self.isServer = isServer
        self.maxPrioritizedStreams = Int(2 * maxRequests)
        self.splicer = SettingsSplicer(adding: additionalSettings)
        var settings = nghttp3_settings()
        CNghttp3_settings_default(&settings)
        settings.max_field_section_size = UInt64(FieldSection.maxSize)
        // Peers may compress what they send us; we answer with the static table, which never blocks on a lost packet.
        settings.qpack_max_dtable_capacity = 4096
        settings.qpack_encoder_max_dtable_capacity = 0
        settings.qpack_blocked_streams = 16
        // Else the library rejects `:protocol` (RFC 9220 § 3).
        settings.enable_connect_protocol = 1
        var callbacks = Self.callbacks()
        let result =
            isServer
            ? CNghttp3_conn_server_new(&self.handle, &callbacks, &settings, self.userData)
            : CNghttp3_conn_client_new(&self.handle, &callbacks, &settings, self.userData)
        try self.check(result, "nghttp3_conn_new")
        if isServer { self.allowRequests(maxRequests) }
    }

    /// The client may have opened that many bidirectional streams in all, WebTransport's among them.
    ///
    /// A PRIORITY_UPDATE for a stream beyond is H3_ID_ERROR (RFC 9218 § 7.2); one for a stream that is to come costs
    /// the library memory until that stream has closed.
    package func allowRequests(_ count: UInt64) {
        nghttp3_conn_set_max_client_streams_bidi(self.handle, count)
    }

    deinit {
        nghttp3_conn_del(self.handle)
    }

    /// Names the three unidirectional streams that this end opened for HTTP/3 (RFC 9114 § 6.2; RFC 9204 § 4.2).
    package func bind(control: Int64, encoder: Int64, decoder: Int64) throws(HTTP3Error) {
        self.controlStreamID = control
        try self.check(nghttp3_conn_bind_control_stream(self.handle, control), "nghttp3_conn_bind_control_stream")
        try self.check(
            nghttp3_conn_bind_qpack_streams(self.handle, encoder, decoder),
            "nghttp3_conn_bind_qpack_streams"
        )
    }

    // MARK: Receiving

    /// Takes the next bytes of a stream.
    /// - Throws: what ends the connection.
    package func receive(_ bytes: ByteBuffer, on streamID: Int64, isFinal: Bool) throws(HTTP3Error) {
        let watch = self.watch(streamID)
        let bytes = try watch.process(bytes, isFinal: isFinal)
        let findings = watch.takeFindings()
        self.emptyFrameCount += findings.emptyFrameCount
        let consumed = bytes.withUnsafeReadableBytes { bytes in
            nghttp3_conn_read_stream(
                self.handle,
                streamID,
                bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
                bytes.count,
                isFinal ? 1 : 0
            )
        }
        guard consumed >= 0 else { throw self.error(Int32(consumed), "nghttp3_conn_read_stream") }
        if consumed > 0 { self.credits.append((streamID, Int(consumed))) }
        guard self.sectionByteCount <= Self.maxSectionBytes else { throw HTTP3Error(.fieldSections) }
        for id in findings.prioritized { try self.notePriority(of: id) }
    }

    /// The library makes a stream of one that has a priority, unless it has seen it: of one that is to come, of
    /// WebTransport's, which it never sees, and, since nobody tells it which those were, of one that has closed. That one
    /// will not close again.
    private func notePriority(of streamID: Int64) throws(HTTP3Error) {
        guard self.watches[streamID] == nil, self.isKnown(streamID) else { return }
        self.prioritizedStreams.insert(streamID)
        guard self.prioritizedStreams.count <= self.maxPrioritizedStreams else {
            throw HTTP3Error(.prioritizedStreams)
        }
    }

    /// Whether the library has such a stream. It is only looked up: nothing is kept with it.
    private func isKnown(_ streamID: Int64) -> Bool {
        nghttp3_conn_set_stream_user_data(self.handle, streamID, nil) == 0
    }

    /// How many frames have come, since the last call, that carry neither data nor fields.
    package func takeEmptyFrameCount() -> Int {
        defer { self.emptyFrameCount = 0 }
        return self.emptyFrameCount
    }

    private func watch(_ streamID: Int64) -> WatchBox {
        if let watch = self.watches[streamID] { return watch }
        // RFC 9000 § 2.1: the second bit of a stream's ID.
        let watch = WatchBox(FrameWatch(isUnidirectional: streamID & 2 != 0))
        self.watches[streamID] = watch
        self.prioritizedStreams.remove(streamID)
        return watch
    }

    package func nextEvent() -> HTTP3Event? { self.events.popFirst() }

    /// Flow-control credit to return to the peer: for frame headers and field sections, which are taken on arrival.
    package func nextCredit() -> (streamID: Int64, count: Int)? { self.credits.popFirst() }

    /// The transport's stream is gone.
    package func streamClosed(_ streamID: Int64, code: HTTP3ErrorCode) throws(HTTP3Error) {
        self.bodies[streamID] = nil
        if let section = self.sections.removeValue(forKey: streamID) { self.sectionByteCount -= section.heldByteCount }
        self.watches[streamID] = nil
        self.prioritizedStreams.remove(streamID)
        self.blocked.remove(streamID)
        let result = nghttp3_conn_close_stream(self.handle, streamID, code.rawValue)
        guard result != NGHTTP3_ERR_STREAM_NOT_FOUND else { return }
        // The end of a critical stream is an error that the library reports here (RFC 9114 § 6.2.1).
        try self.check(result, "nghttp3_conn_close_stream")
    }

    /// This end asked the peer to stop sending, or the peer reset the stream: nothing more will be read.
    package func stopReading(_ streamID: Int64) {
        _ = nghttp3_conn_shutdown_stream_read(self.handle, streamID)
    }

    /// The peer stopped the stream, or this end reset it: nothing more will be sent.
    package func stopWriting(_ streamID: Int64) {
        self.bodies[streamID] = nil
        nghttp3_conn_shutdown_stream_write(self.handle, streamID)
    }

    // MARK: Messages

    /// Sends a request's header section. The stream stays open for `send`, unless `isFinal`.
    package func submit(_ request: HTTPRequest, on streamID: Int64, isFinal: Bool) throws(HTTP3Error) {
        let body = isFinal ? nil : self.makeBody(streamID)
        let result = withFieldLines(request.fieldLines) { lines, count in
            withDataReader { reader in
                nghttp3_conn_submit_request(self.handle, streamID, lines, count, body == nil ? nil : reader, nil)
            }
        }
        try self.check(result, "nghttp3_conn_submit_request")
    }

    /// Sends a response's header section. The stream stays open for `send`, unless `isFinal`.
    package func submit(_ response: HTTPResponse, on streamID: Int64, isFinal: Bool) throws(HTTP3Error) {
        let body = isFinal ? nil : self.makeBody(streamID)
        let result = withFieldLines(response.fieldLines) { lines, count in
            withDataReader { reader in
                nghttp3_conn_submit_response(self.handle, streamID, lines, count, body == nil ? nil : reader)
            }
        }
        try self.check(result, "nghttp3_conn_submit_response")
    }

    /// Queues data of a message, and its end. Without a message, or after its end, it is dropped.
    package func send(_ data: ByteBuffer, on streamID: Int64, isFinal: Bool = false) {
        guard let body = self.bodies[streamID], !body.isFinished else { return }
        body.append(data)
        body.isFinished = isFinal
        if !self.blocked.contains(streamID) { _ = nghttp3_conn_resume_stream(self.handle, streamID) }
    }

    /// Bytes of a message's data that have not come out yet.
    package func queuedByteCount(of streamID: Int64) -> Int { self.bodies[streamID]?.waitingByteCount ?? 0 }

    /// Tells the peer to send no more requests: those on the way are still served (RFC 9114 § 5.2).
    package func announceShutdown() throws(HTTP3Error) {
        try self.check(nghttp3_conn_submit_shutdown_notice(self.handle), "nghttp3_conn_submit_shutdown_notice")
    }

    private func makeBody(_ streamID: Int64) -> OutgoingBody {
        let body = OutgoingBody()
        self.bodies[streamID] = body
        return body
    }

    // MARK: Sending

    /// Whether a message's body is still under way.
    package var isSendingMessages: Bool { !self.bodies.isEmpty }

    /// The next bytes to send, or nil when there are none. The receiver keeps them until they are acknowledged.
    /// - Parameter inSmallPieces: whether the receiver has so much that it wants little of each stream: less than 8 KiB
    ///   of a body.
    package func nextOutput(
        inSmallPieces: Bool = false
    ) throws(HTTP3Error) -> (streamID: Int64, bytes: ByteBuffer, isFinal: Bool)? {
        self.chunkSize = inSmallPieces ? Self.minChunk : Self.maxChunk
        var streamID: Int64 = -1
        var isFinal: Int32 = 0
        var bytes = ByteBuffer()
        let result = withUnsafeTemporaryAllocation(of: nghttp3_vec.self, capacity: Self.maxVectors) { vectors in
            let count = nghttp3_conn_writev_stream(
                self.handle,
                &streamID,
                &isFinal,
                vectors.baseAddress,
                vectors.count
            )
            guard count >= 0, streamID >= 0 else { return Int32(truncatingIfNeeded: count) }
            for vector in vectors[..<count] {
                bytes.writeBytes(UnsafeRawBufferPointer(start: vector.base, count: vector.len))
            }
            let added = nghttp3_conn_add_write_offset(self.handle, streamID, bytes.readableBytes)
            guard added == 0 else { return added }
            return nghttp3_conn_add_ack_offset(self.handle, streamID, UInt64(bytes.readableBytes))
        }
        try self.check(result, "nghttp3_conn_writev_stream")
        guard streamID >= 0 else { return nil }
        if streamID == self.controlStreamID { bytes = self.splicer.process(bytes) }
        return (streamID, bytes, isFinal != 0)
    }

    /// The transport holds enough of this stream's data for now.
    package func block(_ streamID: Int64) {
        self.blocked.insert(streamID)
        nghttp3_conn_block_stream(self.handle, streamID)
    }

    package func unblock(_ streamID: Int64) {
        guard self.blocked.remove(streamID) != nil else { return }
        _ = nghttp3_conn_unblock_stream(self.handle, streamID)
        _ = nghttp3_conn_resume_stream(self.handle, streamID)
    }

    // MARK: Result codes

    private func check(_ result: Int32, _ call: StaticString) throws(HTTP3Error) {
        guard result < 0 else { return }
        throw self.error(result, call)
    }

    private func error(_ result: Int32, _ call: StaticString) -> HTTP3Error {
        HTTP3Error(
            HTTP3ErrorCode(rawValue: nghttp3_err_infer_quic_app_error_code(result)),
            "\(call): \(String(cString: nghttp3_strerror(result)))"
        )
    }
}

/// The body of a message that is being sent.
final class OutgoingBody {
    private(set) var waiting: Deque<ByteBuffer> = []
    private(set) var waitingByteCount = 0
    var isFinished = false
    /// What the library was given. Its bytes stay in place until they have been copied out again.
    private var lent: Deque<ByteBuffer> = []
    private var releasedOfFirst = 0

    func append(_ data: ByteBuffer) {
        guard data.readableBytes > 0 else { return }
        self.waiting.append(data)
        self.waitingByteCount += data.readableBytes
    }

    /// The next chunk, which stays in place until it is released.
    func lend(atMost count: Int) -> ByteBuffer? {
        guard var chunk = self.waiting.popFirst() else { return nil }
        if let part = chunk.readSlice(length: count) {
            if chunk.readableBytes > 0 { self.waiting.prepend(chunk) }
            chunk = part
        }
        self.waitingByteCount -= chunk.readableBytes
        self.lent.append(chunk)
        return chunk
    }

    /// The library has no more use for that many bytes of what it was lent.
    func release(_ count: Int) {
        self.releasedOfFirst += count
        while let first = self.lent.first, self.releasedOfFirst >= first.readableBytes {
            self.releasedOfFirst -= first.readableBytes
            self.lent.removeFirst()
        }
    }
}

/// A watch in a dictionary, which takes only what can be copied; and what it keeps from the library for a while.
private final class WatchBox {
    private var watch: FrameWatch
    private var held = ByteBuffer()
    private var findings = FrameWatch.Findings()

    init(_ watch: consuming FrameWatch) {
        self.watch = watch
    }

    func takeFindings() -> FrameWatch.Findings {
        defer { self.findings = .init() }
        return self.findings
    }

    /// - Returns: what the library may read now. The last byte is held back where it must not stop reading.
    func process(_ bytes: ByteBuffer, isFinal: Bool) throws(HTTP3Error) -> ByteBuffer {
        self.findings = try self.watch.process(bytes)
        var readable = bytes
        if self.held.readableBytes > 0 {
            readable = self.held
            readable.writeImmutableBuffer(bytes)
            self.held.clear()
        }
        guard self.watch.isBehindElementID, !isFinal else { return readable }
        // The field that has ended has a byte at least, and it is the last: nothing is nil or empty.
        self.held = ByteBuffer(bytes: readable.readableBytesView.suffix(1))
        return readable.readSlice(length: readable.readableBytes - 1)!
    }
}
