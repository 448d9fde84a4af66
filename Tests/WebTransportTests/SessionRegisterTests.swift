import NIOConcurrencyHelpers
import Testing

@testable import WebTransport

@Suite("Register of sessions")
struct SessionRegisterTests {
    @Test("There are no more places than the limit, and a released one can be had again")
    func limit() {
        let register = SessionRegister(limit: 2)
        #expect(register.reserve() == .reserved)
        #expect(register.reserve() == .reserved)
        #expect(register.reserve() == .full)
        register.release()
        #expect(register.reserve() == .reserved)
    }

    @Test("While it drains nobody gets a place, and the last one to leave is told once")
    func draining() {
        let register = SessionRegister(limit: 2)
        let notices = Counter()
        #expect(register.reserve() == .reserved)
        #expect(register.reserve() == .reserved)
        #expect(register.beginDraining { notices.increment() })
        #expect(!register.beginDraining { Issue.record("draining begins once") })
        #expect(register.reserve() == .draining)
        register.release()
        #expect(notices.value == 0)
        register.release()
        #expect(notices.value == 1)
        #expect(register.reserve() == .draining)
        #expect(notices.value == 1)
    }

    @Test("Without sessions draining is over at once")
    func empty() {
        let notices = Counter()
        #expect(SessionRegister(limit: 2).beginDraining { notices.increment() })
        #expect(notices.value == 1)
    }
}
