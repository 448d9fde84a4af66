import QUIC
import Testing

@Suite("Connection table")
struct ConnectionTableTests {
    final class Owner {}

    @Test("All routes of an owner lead to it until each is removed")
    func routes() {
        var table = ConnectionTable<Owner>()
        let owner = Owner()
        let ids = (0..<4).map { _ in ConnectionID(endpointIndex: 1) }
        for id in ids {
            let isAdded = table.add(id, for: owner)
            #expect(isAdded)
        }
        #expect(ids.allSatisfy { table[$0] === owner })
        table.remove(ids[0], of: owner)
        #expect(table[ids[0]] == nil)
        #expect(table.count == 3)
    }

    @Test("A route is neither taken over nor removed by another owner")
    func ownership() {
        var table = ConnectionTable<Owner>()
        let first = Owner()
        let second = Owner()
        let id = ConnectionID(endpointIndex: 1)
        let isFirstAdded = table.add(id, for: first)
        let isSecondAdded = table.add(id, for: second)
        #expect(isFirstAdded && !isSecondAdded)
        table.remove(id, of: second)
        #expect(table[id] === first)
    }

    @Test("An issued connection ID names its endpoint; one of another length does not")
    func endpointIndex() {
        #expect(ConnectionID(endpointIndex: 200).endpointIndex == 200)
        let foreign = [UInt8](repeating: 1, count: 20).withUnsafeBytes { ConnectionID($0) }
        #expect(foreign.endpointIndex == nil)
        #expect(foreign.hexadecimal == String(repeating: "01", count: 20))
    }
}
