import NIOCore
import Testing

@testable import WebTransport

@Suite("Datagrams that wait for the application [27]", .timeLimit(.minutes(1)))
struct DatagramInboxTests {
    private static func numbered(_ number: UInt16) -> ByteBuffer { ByteBuffer(integer: number) }

    @Test("They come in order, and when there are too many the oldest are gone")
    func bounded() {
        let inbox = DatagramInbox()
        for number in 0..<UInt16(300) { inbox.offer(Self.numbered(number)) }
        #expect(inbox.droppedCount == 44)
        for number in UInt16(44)..<300 { #expect(inbox.poll() == .some(Self.numbered(number))) }
        #expect(inbox.poll() == nil)
        inbox.finish()
        #expect(inbox.poll() == .some(nil))
    }

    @Test("A wait ends with the next datagram")
    func waits() async {
        let inbox = DatagramInbox()
        let received = await withCheckedContinuation { continuation in
            inbox.wait(continuation, ticket: WaitTicket())
            inbox.offer(Self.numbered(1))
        }
        #expect(received == Self.numbered(1))
    }

    @Test("A wait that is cancelled ends, another's cancellation does not end it, and nothing is lost by it")
    func cancelled() async {
        let inbox = DatagramInbox()
        let ticket = WaitTicket()
        let received = await withCheckedContinuation { continuation in
            inbox.wait(continuation, ticket: ticket)
            inbox.cancelWait(WaitTicket())
            inbox.cancelWait(ticket)
            inbox.offer(Self.numbered(1))
        }
        #expect(received == nil)
        #expect(inbox.poll() == .some(Self.numbered(1)))
    }

    @Test("A wait that was cancelled before it began does not begin")
    func cancelledBefore() async {
        let inbox = DatagramInbox()
        let ticket = WaitTicket()
        ticket.cancel()
        #expect(await withCheckedContinuation { inbox.wait($0, ticket: ticket) } == nil)
    }

    @Test("A wait that was cancelled, of which the inbox has not heard yet, takes nothing from the next one")
    func cancelledMeanwhile() async {
        let inbox = DatagramInbox()
        let ticket = WaitTicket()
        let received = await withCheckedContinuation { first in
            inbox.wait(first, ticket: ticket)
            ticket.cancel()
            inbox.offer(Self.numbered(1))
        }
        #expect(received == nil)
        #expect(inbox.poll() == .some(Self.numbered(1)))
    }
}
