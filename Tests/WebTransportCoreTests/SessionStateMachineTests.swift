import Testing
import WebTransportCore

@Suite("The life of a session (draft-ietf-webtrans-http3 § 3, § 6)")
struct SessionStateMachineTests {
    enum State: CaseIterable {
        case connecting, established, draining, closedByPeer, closedLocally, refused
    }

    private static func machine(_ state: State) -> SessionStateMachine {
        var machine = SessionStateMachine()
        switch state {
        case .connecting: break
        case .established: _ = machine.accepted()
        case .draining:
            _ = machine.accepted()
            _ = machine.drainReceived()
        case .closedByPeer:
            _ = machine.accepted()
            _ = machine.peerClosed()
        case .closedLocally:
            _ = machine.accepted()
            _ = machine.closed()
        case .refused: _ = machine.closed()
        }
        return machine
    }

    private static func expect(_ machine: borrowing SessionStateMachine, established: Bool, closed: Bool) {
        let seen = (machine.isEstablished, machine.isClosed)
        #expect(seen == (established, closed))
    }

    @Test("Only an open request is accepted, and only once", arguments: State.allCases)
    func accepted(state: State) {
        var machine = Self.machine(state)
        let begins = machine.accepted()
        #expect(begins == (state == .connecting))
        let isOpen = [.connecting, .established, .draining].contains(state)
        Self.expect(machine, established: isOpen, closed: !isOpen)
    }

    @Test("A request to finish is news once, to an established session", arguments: State.allCases)
    func drain(state: State) {
        var machine = Self.machine(state)
        let first = machine.drainReceived()
        let second = machine.drainReceived()
        #expect(first == (state == .established))
        #expect(!second)
        let isEstablished = [.established, .draining].contains(state)
        Self.expect(machine, established: isEstablished, closed: !isEstablished && state != .connecting)
        // A session that is asked to finish is one still.
        let begins = machine.accepted()
        #expect(begins == (state == .connecting))
    }

    @Test("The peer's end ends a session once", arguments: State.allCases)
    func peerClosed(state: State) {
        var machine = Self.machine(state)
        let first = machine.peerClosed()
        let second = machine.peerClosed()
        let isOpen = [.connecting, .established, .draining].contains(state)
        #expect(first == (isOpen ? .finish : .ignore))
        #expect(second == .ignore)
        Self.expect(machine, established: false, closed: true)
        let close = machine.closed()
        #expect(close == .ignore)
    }

    @Test(
        "A close is said to the peer when there is a session, and gives up a request that is open",
        arguments: State.allCases
    )
    func closed(state: State) {
        var machine = Self.machine(state)
        let first = machine.closed()
        let second = machine.closed()
        let expected: SessionStateMachine.Closed =
            switch state {
            case .connecting: .abandonRequest
            case .established, .draining: .sendClose
            case .closedByPeer, .closedLocally, .refused: .ignore
            }
        #expect(first == expected)
        #expect(second == .ignore)
        Self.expect(machine, established: false, closed: true)
    }
}
