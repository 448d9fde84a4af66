import Testing
import WebTransportCore

@Suite("Limits of a session [39, 40, 41]")
struct SessionFlowControlTests {
    private typealias Violation = SessionFlowControl.Violation

    /// What the peer may send, and what this end may send.
    private static func control(
        granted: SessionLimits = SessionLimits(data: 100, bidirectionalStreams: 4, unidirectionalStreams: 4),
        received: SessionLimits = SessionLimits(data: 100, bidirectionalStreams: 2, unidirectionalStreams: 1)
    ) -> SessionFlowControl {
        SessionFlowControl(.init(granted: granted, received: received))
    }

    // MARK: Sending

    @Test("No more data is sent than the peer allows, over all streams; WT_MAX_DATA allows more")
    func data() throws {
        var control = Self.control()
        #expect(control.takeData(upTo: 60) == 60)
        #expect(control.takeData(upTo: 60) == 40)
        #expect(!control.hasDataCredit)
        #expect(control.takeData(upTo: 60) == 0)
        #expect(try control.received(.maxData(130)) == nil)
        #expect(control.hasDataCredit)
        #expect(control.takeData(upTo: 60) == 30)
    }

    @Test("The peer is told once for each limit that data waits (draft-16 § 5.6.5), and not while there is credit")
    func dataBlocked() throws {
        var control = Self.control()
        #expect(control.dataBlocked() == nil)
        _ = control.takeData(upTo: 100)
        #expect(control.dataBlocked() == .dataBlocked(100))
        #expect(control.dataBlocked() == nil)
        _ = try control.received(.maxData(101))
        #expect(control.dataBlocked() == nil)
        _ = control.takeData(upTo: 1)
        #expect(control.dataBlocked() == .dataBlocked(101))
        #expect(control.dataBlocked() == nil)
    }

    @Test("What a stream did not send in the end is given back (draft-16 § 5.4: its final size counts)")
    func giveBack() {
        var control = Self.control()
        _ = control.takeData(upTo: 100)
        control.giveBackData(30)
        #expect(control.takeData(upTo: 100) == 30)
    }

    @Test("Streams count for ever and by kind; WT_MAX_STREAMS allows more")
    func streams() throws {
        var control = Self.control()
        for _ in 0..<2 {
            #expect(control.mayOpenStream(.bidirectional))
            control.streamOpened(.bidirectional)
        }
        #expect(!control.mayOpenStream(.bidirectional))
        #expect(control.mayOpenStream(.unidirectional))
        #expect(control.streamsBlocked(.unidirectional) == nil)
        #expect(control.streamsBlocked(.bidirectional) == .streamsBlocked(.bidirectional, 2))
        #expect(control.streamsBlocked(.bidirectional) == nil)
        #expect(try control.received(.maxStreams(.bidirectional, 3)) == nil)
        #expect(control.mayOpenStream(.bidirectional))
        control.streamOpened(.bidirectional)
        #expect(control.streamsBlocked(.bidirectional) == .streamsBlocked(.bidirectional, 3))
        control.streamOpened(.unidirectional)
        #expect(!control.mayOpenStream(.unidirectional))
    }

    @Test("Nothing is sent before the peer allows it when its SETTINGS allow nothing (draft-16 § 5.5)")
    func nothingAtFirst() throws {
        var control = Self.control(received: SessionLimits(data: 0, bidirectionalStreams: 0, unidirectionalStreams: 0))
        #expect(control.takeData(upTo: 1) == 0)
        #expect(control.dataBlocked() == .dataBlocked(0))
        #expect(!control.mayOpenStream(.bidirectional) && !control.mayOpenStream(.unidirectional))
        _ = try control.received(.maxData(1))
        #expect(control.takeData(upTo: 2) == 1)
    }

    // MARK: Receiving

    @Test("Data up to the limit is taken, a byte more is a violation (draft-16 § 5.6.4)")
    func tooMuchData() throws {
        var control = Self.control()
        try control.dataReceived(60)
        try control.dataReceived(40)
        try control.dataReceived(0)
        #expect(throws: Violation.self) { try control.dataReceived(1) }
        #expect(throws: Violation.self) { try control.dataReceived(.max) }
    }

    @Test("Credit comes with consumption, in halves of the window, without being asked for (draft-16 § 5.6)")
    func dataCredit() throws {
        var control = Self.control()
        try control.dataReceived(100)
        #expect(control.dataSettled(49) == nil)
        #expect(control.dataSettled(1) == .maxData(150))
        #expect(control.dataSettled(50) == .maxData(200))
        try control.dataReceived(100)
        #expect(throws: Violation.self) { try control.dataReceived(1) }
    }

    @Test("Streams up to the limit are taken, one more is a violation, of either kind (draft-16 § 5.6.2)")
    func tooManyStreams() throws {
        for kind in SessionFlowControl.StreamKind.allCases {
            var control = Self.control()
            for _ in 0..<4 { try control.streamArrived(kind) }
            #expect(throws: Violation.self) { try control.streamArrived(kind) }
        }
    }

    @Test("Credit for streams comes as streams go, closed ones included in the count")
    func streamCredit() throws {
        var control = Self.control()
        for _ in 0..<4 { try control.streamArrived(.unidirectional) }
        #expect(control.streamSettled(.unidirectional) == nil)
        #expect(control.streamSettled(.unidirectional) == .maxStreams(.unidirectional, 6))
        for _ in 0..<2 { try control.streamArrived(.unidirectional) }
        #expect(throws: Violation.self) { try control.streamArrived(.unidirectional) }
        #expect(control.streamSettled(.bidirectional) == nil)
    }

    @Test("No limit rises beyond what can be written")
    func largest() throws {
        var control = Self.control(granted: .unlimited)
        try control.dataReceived(1 << 61)
        #expect(control.dataSettled(1 << 61) == nil)
        try control.streamArrived(.bidirectional)
        #expect(control.streamSettled(.bidirectional) == nil)
    }

    // MARK: Capsules

    @Test("A limit that does not rise is a violation, since capsules come in order (draft-16 § 5.6.2, § 5.6.4)")
    func notRising() throws {
        let messages: [SessionFlowControl.Message] = [
            .maxData(100), .maxData(99), .maxData(0), .maxStreams(.bidirectional, 2), .maxStreams(.bidirectional, 0),
            .maxStreams(.unidirectional, 1),
        ]
        for message in messages {
            var control = Self.control()
            #expect(throws: Violation.self) { try control.received(message) }
        }
    }

    @Test("More than 2^60 streams is a violation, also of one who says that it waits (draft-16 § 5.6.2, § 5.6.3)")
    func impossible() throws {
        for kind in SessionFlowControl.StreamKind.allCases {
            var control = Self.control()
            #expect(throws: Violation.self) { try control.received(.maxStreams(kind, 1 << 60 + 1)) }
            #expect(throws: Violation.self) { try control.received(.streamsBlocked(kind, 1 << 60 + 1)) }
            #expect(try control.received(.streamsBlocked(kind, 1 << 60)) == nil)
            #expect(try control.received(.maxStreams(kind, 1 << 60)) == nil)
            #expect(control.mayOpenStream(kind))
        }
    }

    @Test("That the peer waits changes nothing by itself")
    func blockedPeer() throws {
        var control = Self.control()
        try control.dataReceived(90)
        #expect(try control.received(.dataBlocked(100)) == nil)
        #expect(try control.received(.streamsBlocked(.bidirectional, 4)) == nil)
        try control.dataReceived(10)
        #expect(throws: Violation.self) { try control.dataReceived(1) }
    }

    @Test("What was missed is made up for when the peer says that it has used up its limit, once")
    func missedData() throws {
        var control = Self.control()
        try control.dataReceived(30)
        #expect(control.dataSettled(10) == nil)
        control.dataMayHaveBeenMissed()
        // An old limit says nothing.
        #expect(try control.received(.dataBlocked(99)) == nil)
        // 70 bytes were missed, 20 are still unread: 100 less those may come.
        #expect(try control.received(.dataBlocked(100)) == .maxData(180))
        #expect(try control.received(.dataBlocked(180)) == nil)
        try control.dataReceived(70)
        // All of it was on its way after all: that is no violation.
        try control.dataReceived(80)
        control.dataMayHaveBeenMissed()
        #expect(try control.received(.dataBlocked(180)) == nil)
        #expect(throws: Violation.self) { try control.dataReceived(1) }
    }

    @Test("A stream that was given up before its header came is made up for, and no more than that", arguments: [1, 2])
    func missedStreams(missed: UInt64) throws {
        for kind in SessionFlowControl.StreamKind.allCases {
            var control = Self.control()
            for _ in 0..<missed { control.streamMayHaveBeenMissed(kind) }
            // The rest is on its way, says the peer, or a lie.
            try control.streamArrived(kind)
            #expect(try control.received(.streamsBlocked(kind, 4)) == .maxStreams(kind, 4 + missed))
            #expect(try control.received(.streamsBlocked(kind, 4 + missed)) == nil)
        }
    }
}
