extension Network {
    /// The networks that have a name, from the nearest to the farthest.
    ///
    /// Their figures are typical ones, in round numbers, as operators and measurement platforms publish them: half of
    /// the usual round-trip time each way, the rate that a user sees, and a queue that delays by about 100 to 300 ms
    /// when it is full, as access networks have it. They are points of reference, not models of any provider.
    public static let named: [Network] = [
        .loopback, .datacentre, .lan, .wifi, .wifiLossy, .fourG, .threeG, .transatlantic, .satellite,
    ]

    /// Packets meet nothing but the emulator itself.
    static let loopback = Network(name: "loopback", both: Link(LinkConditions(delay: 0)))

    /// Two racks of one hall: a quarter of a millisecond there and back, 10 Gbit/s.
    static let datacentre = Network(
        name: "datacentre",
        both: Link(LinkConditions(delay: 125_000, bandwidth: 10_000_000_000), queue: 1_000)
    )

    /// An office: one millisecond there and back, Gigabit Ethernet.
    static let lan = Network(
        name: "lan",
        both: Link(LinkConditions(delay: 500_000, bandwidth: 1_000_000_000), queue: 1_000)
    )

    /// A good wireless network: the link layer repeats what was lost and keeps the order.
    static let wifi = Network(
        name: "wifi",
        both: Link(
            LinkConditions(
                delay: 2_000_000,
                jitter: 1_000_000,
                loss: .independent(0.001),
                bandwidth: 100_000_000
            ),
            queue: 1_000
        )
    )

    /// A crowded or distant one: twice a second, for 20 ms, most packets are lost; 3 % on average.
    static let wifiLossy = Network(
        name: "wifi-lossy",
        both: Link(
            LinkConditions(
                delay: 5_000_000,
                jitter: 4_000_000,
                loss: .bursty(
                    GilbertElliott(.overTime(good: 500_000_000, bad: 20_000_000), lossInGood: 0, lossInBad: 0.78)
                ),
                bandwidth: 20_000_000
            ),
            queue: 250
        )
    )

    /// LTE at fair reception: 50 ms there and back. The radio layer repeats what was lost, so little is.
    static let fourG = Network(
        name: "4g",
        up: Link(
            LinkConditions(delay: 25_000_000, jitter: 5_000_000, loss: .independent(0.001), bandwidth: 10_000_000),
            queue: 200
        ),
        down: Link(
            LinkConditions(delay: 25_000_000, jitter: 5_000_000, loss: .independent(0.001), bandwidth: 30_000_000),
            queue: 500
        )
    )

    /// HSPA: 200 ms there and back.
    static let threeG = Network(
        name: "3g",
        up: Link(
            LinkConditions(delay: 100_000_000, jitter: 15_000_000, loss: .independent(0.005), bandwidth: 750_000),
            queue: 50
        ),
        down: Link(
            LinkConditions(delay: 100_000_000, jitter: 15_000_000, loss: .independent(0.005), bandwidth: 1_600_000),
            queue: 50
        )
    )

    /// Between the coasts of an ocean by cable: 80 ms there and back, a rate that a well connected host sees.
    static let transatlantic = Network(
        name: "transatlantic",
        both: Link(
            LinkConditions(
                delay: 40_000_000,
                jitter: 250_000,
                loss: .independent(0.0001),
                bandwidth: 200_000_000
            ),
            queue: 2_000
        )
    )

    /// By a geostationary satellite, 600 ms there and back: 36,000 km up and down, twice, and the ground stations. Every
    /// ten seconds it is lost for 50 ms.
    static let satellite = Network(
        name: "satellite",
        up: Link(
            LinkConditions(
                delay: 300_000_000,
                jitter: 5_000_000,
                loss: .bursty(
                    GilbertElliott(.overTime(good: 9_950_000_000, bad: 50_000_000), lossInGood: 0, lossInBad: 1)
                ),
                bandwidth: 3_000_000
            ),
            queue: 100
        ),
        down: Link(
            LinkConditions(
                delay: 300_000_000,
                jitter: 5_000_000,
                loss: .bursty(
                    GilbertElliott(.overTime(good: 9_950_000_000, bad: 50_000_000), lossInGood: 0, lossInBad: 1)
                ),
                bandwidth: 25_000_000
            ),
            queue: 500
        )
    )

    private init(name: String, both link: Link) {
        self.init(name: name, up: link, down: link)
    }
}
