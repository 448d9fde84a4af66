import Dispatch
import Foundation
import Glibc
import NIOCore

/// The lines of standard input, as bytes without their ends, read on a thread of their own.
///
/// Reading a terminal, a pipe or a file may block for ever, and only a thread can wait for all three. It is at most
/// `window` lines ahead of who iterates, so that a large file does not end up in memory. It lives until the input ends
/// or the program does.
struct StandardInputLines: AsyncSequence {
    private let lines: AsyncStream<ByteBuffer>
    private let room: DispatchSemaphore

    /// Lines that may wait.
    private static let window = 64
    /// A longer line comes in parts: it is the largest message that an Apus server takes.
    private static let maximumLength = 1 << 20

    /// Begins to read. To be made once in a program.
    init() {
        let (lines, continuation) = AsyncStream<ByteBuffer>.makeStream()
        // Not `value: window`: libdispatch traps when a semaphore ends with less than it began with, and lines may be
        // left over.
        let room = DispatchSemaphore(value: 0)
        for _ in 0..<Self.window { room.signal() }
        (self.lines, self.room) = (lines, room)
        let thread = Thread {
            var line = ByteBuffer()
            var bytes = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(STDIN_FILENO, &bytes, bytes.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { break }
                var rest = bytes[..<count]
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    line.writeBytes(rest[..<end])
                    rest = rest[(end + 1)...]
                    room.wait()
                    continuation.yield(line)
                    line = ByteBuffer()
                }
                line.writeBytes(rest)
                while let part = line.readSlice(length: Self.maximumLength) {
                    room.wait()
                    continuation.yield(part)
                }
            }
            // A last line need not have an end.
            if line.readableBytes > 0 { continuation.yield(line) }
            continuation.finish()
        }
        thread.name = "standard input"
        thread.start()
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: self.lines.makeAsyncIterator(), room: self.room)
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var base: AsyncStream<ByteBuffer>.AsyncIterator
        fileprivate let room: DispatchSemaphore

        @concurrent mutating func next() async -> ByteBuffer? {
            let line = await self.base.next()
            if line != nil { self.room.signal() }
            return line
        }
    }
}
