import CGnuTLS
// Its headers include GnuTLS's: the compiler may take gnutls_datum_t for a type of either module.
import CNgtcp2
import Synchronization

/// Lets each first flight with early data in once (RFC 8446 § 8.2; RFC 9001 § 9.2). All endpoints of a server share
/// one.
///
/// GnuTLS decides with a recording: it takes early data only with tickets that were issued after the recording began,
/// and only when the recording has not seen the same ClientHello before. Its own way is to begin a new recording every
/// ten seconds, so that most tickets are useless by the time a client returns; and to do so from whichever thread comes
/// first, unsynchronised. Here a recording lasts until it is full, is never changed, and its successor's tickets are
/// its own.
package final class ReplayFilter: Sendable {
    private let memory: Memory
    private let recording: Mutex<Recording?>

    /// - Parameter capacity: early data is refused to everybody once, and the tickets issued so far are good for a
    ///   resumption without it, after so many connections with it. An entry takes about 20 bytes.
    package init(capacity: Int = 1 << 16) {
        self.memory = Memory(capacity: capacity)
        self.recording = Mutex(Recording(memory: self.memory, epoch: 0))
    }

    /// Makes a GnuTLS server session ask before it takes early data.
    /// - Returns: what the owner of the session keeps until the session is freed.
    func enable(on session: OpaquePointer) -> Recording? {
        let epoch = self.memory.epoch
        let current = self.recording.withLock { recording in
            if recording?.epoch != epoch { recording = Recording(memory: self.memory, epoch: epoch) }
            return recording
        }
        // Without one, which only a lack of memory can cause, GnuTLS takes no early data.
        if let current { gnutls_anti_replay_enable(session, current.handle) }
        return current
    }

    /// Which flights were seen.
    fileprivate final class Memory: Sendable {
        private struct State {
            var epoch: UInt64 = 0
            var seen: Set<UInt128> = []
        }

        private let capacity: Int
        private let state = Mutex(State())

        init(capacity: Int) { self.capacity = capacity }

        var epoch: UInt64 { self.state.withLock { $0.epoch } }

        /// - Returns: whether it was not seen before, and will be known from now on.
        func admits(_ flight: UInt128, epoch: UInt64) -> Bool {
            self.state.withLock { state in
                // A session may have begun under a recording that has since been given up.
                guard epoch == state.epoch else { return false }
                guard state.seen.count < self.capacity else {
                    state = State(epoch: epoch + 1)
                    return false
                }
                return state.seen.insert(flight).inserted
            }
        }
    }

    /// GnuTLS's part of it: when it began.
    ///
    /// `@unchecked` because the compiler cannot see into the pointer. The proof: nothing but `init` changes the object.
    /// GnuTLS itself would when its window has passed, which this one, of the largest number there is, never does.
    final class Recording: @unchecked Sendable {
        let handle: gnutls_anti_replay_t
        let epoch: UInt64
        private let memory: Memory

        fileprivate init?(memory: Memory, epoch: UInt64) {
            var handle: gnutls_anti_replay_t?
            guard gnutls_anti_replay_init(&handle) == GNUTLS_E_SUCCESS, let handle else { return nil }
            self.handle = handle
            self.epoch = epoch
            self.memory = memory
            gnutls_anti_replay_set_window(handle, .max)
            // A session calls back only while it exists, and its owner keeps this object as long.
            gnutls_anti_replay_set_ptr(handle, Unmanaged.passUnretained(self).toOpaque())
            gnutls_anti_replay_set_add_function(handle) { recording, _, key, _ in
                // Set above, hence never nil.
                let recording = Unmanaged<Recording>.fromOpaque(recording!).takeUnretainedValue()
                guard let key = key?.pointee else { return GNUTLS_E_DB_ERROR }
                return recording.admits(UnsafeBufferPointer(start: key.data, count: Int(key.size)))
                    ? GNUTLS_E_SUCCESS : GNUTLS_E_DB_ENTRY_EXISTS
            }
        }

        deinit { gnutls_anti_replay_deinit(self.handle) }

        /// - Parameter key: when the recording began, in 12 bytes, and the PSK binder, which is a MAC over the
        ///   ClientHello.
        private func admits(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
            guard key.count >= 12 + 16 else { return false }
            // Half of the MAC: whoever can make two hellos that share it harms only himself.
            let flight = key[12..<28].reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
            return self.memory.admits(flight, epoch: self.epoch)
        }
    }
}
