import NetworkModel
import Testing

@Suite("Networks that have a name")
struct NamedNetworkTests {
    @Test("There are those that the help lists, each once")
    func names() {
        let expected: Set = [
            "loopback", "lan", "wifi", "wifi-lossy", "4g", "3g", "satellite", "transatlantic", "datacentre",
        ]
        #expect(Set(Network.named.map(\.name)) == expected)
        #expect(Network.named.count == expected.count)
    }

    @Test("Each delays by at least its jitter and takes QUIC's packets", arguments: Network.named)
    func sanity(network: Network) {
        for direction in Direction.allCases {
            let link = network[direction]
            #expect(link.conditions.jitter <= link.conditions.delay)
            #expect(link.mtu >= 1_280)
            #expect((0..<0.05).contains(link.conditions.loss.average))
        }
    }
}
