import NetworkModel

/// A packet under way. Those that are due first are less; of equal ones those that came first.
struct Packet: Comparable {
    let due: Int64
    /// In the order of arrival, over both directions.
    let number: UInt64
    let arrival: Int64
    let direction: Direction
    let bytes: [UInt8]

    static func < (left: Self, right: Self) -> Bool { (left.due, left.number) < (right.due, right.number) }
    static func == (left: Self, right: Self) -> Bool { left.number == right.number }
}
