import CGnuTLS
import Glibc
import NIOCore

/// The two buffers through which a GnuTLS session reads and writes.
///
/// GnuTLS keeps this object's address without retaining it. The session's owner owns this too, and frees the session
/// first. Nothing ever blocks: an empty input is EAGAIN, and the output takes what it gets until it is taken away,
/// after each call into the session.
final class TLSTransport {
    /// Ciphertext from the peer that GnuTLS has not asked for: at most one read of the channel.
    private(set) var input = ByteBuffer()
    private var output = ByteBuffer()
    private let allocator = ByteBufferAllocator()

    /// Makes a session read and write here.
    func attach(to session: gnutls_session_t) {
        gnutls_transport_set_ptr(session, Unmanaged.passUnretained(self).toOpaque())
        gnutls_transport_set_pull_function(session, pull)
        gnutls_transport_set_pull_timeout_function(session, pullTimeout)
        gnutls_transport_set_push_function(session, push)
    }

    fileprivate static func from(_ pointer: gnutls_transport_ptr_t?) -> TLSTransport {
        // Set by `attach(to:)` before GnuTLS calls any of the functions.
        Unmanaged.fromOpaque(pointer!).takeUnretainedValue()
    }

    func append(_ ciphertext: ByteBuffer) {
        if self.input.readableBytes == 0 {
            self.input = ciphertext
        } else {
            self.input.writeImmutableBuffer(ciphertext)
        }
    }

    /// The ciphertext for the peer since the last call.
    func takeOutput() -> ByteBuffer? {
        guard self.output.readableBytes > 0 else { return nil }
        defer { self.output = ByteBuffer() }
        return self.output
    }

    fileprivate func read(into destination: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(destination.count, self.input.readableBytes)
        guard count > 0 else {
            errno = EAGAIN
            return -1
        }
        self.input.readWithUnsafeReadableBytes { bytes in
            destination.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            return count
        }
        return count
    }

    fileprivate func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        self.output.writeBytes(bytes)
    }
}

private let pull: gnutls_pull_func = { pointer, destination, count in
    TLSTransport.from(pointer).read(into: UnsafeMutableRawBufferPointer(start: destination, count: count))
}

private let pullTimeout: gnutls_pull_timeout_func = { pointer, _ in
    TLSTransport.from(pointer).input.readableBytes > 0 ? 1 : 0
}

private let push: gnutls_push_func = { pointer, bytes, count in
    TLSTransport.from(pointer).write(UnsafeRawBufferPointer(start: bytes, count: count))
}
