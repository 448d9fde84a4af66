/// What the messages of one turn cost, from when all its sessions are open until all has come back.
final class TurnCost {
    private let meter: CostMeter
    private let messages: Int
    private var reading: CostMeter.Reading?
    private(set) var cost = Cost.none

    init(_ meter: CostMeter, messages: Int) {
        self.meter = meter
        self.messages = messages
    }

    func begin() {
        self.reading = self.meter.read()
    }

    func end() {
        guard let reading = self.reading else { return }
        self.cost = self.meter.cost(of: self.messages, since: reading)
    }
}
