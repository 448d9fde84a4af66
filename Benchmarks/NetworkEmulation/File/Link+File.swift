import Foundation
import NetworkModel

extension Link {
    private static let fields =
        "delayMilliseconds, jitterMilliseconds, reorders, loss, bandwidthMegabits, queuePackets, mtu, trace, "
        + "tracePeriodSeconds"

    /// - Parameter file: the path of a trace is relative to its directory.
    init(_ reader: FieldReader, file: String) throws(NetworkError) {
        var fields = reader
        guard let delay = try fields.number("delayMilliseconds", LinkLimits.delayMilliseconds) else {
            throw fields.missing("delayMilliseconds is missing")
        }
        let jitter = try fields.number("jitterMilliseconds", 0...delay) ?? 0
        let loss = try Loss(&fields)
        let bandwidth = try fields.number("bandwidthMegabits", LinkLimits.bandwidthMegabits)
        self.init(
            LinkConditions(
                delay: Int64(milliseconds: delay),
                jitter: Int64(milliseconds: jitter),
                loss: loss,
                bandwidth: bandwidth.map(Int64.init(megabits:))
            )
        )
        self.reorders = try fields.bool("reorders") ?? self.reorders
        self.queue = try fields.integer("queuePackets", LinkLimits.queuePackets) ?? self.queue
        self.mtu = try fields.integer("mtu", LinkLimits.mtu) ?? self.mtu
        self.trace = try Trace(&fields, relativeTo: file)
        try fields.finish(known: Self.fields)
    }
}

extension Loss {
    private static let fields =
        "goodToBad, badToGood, meanGoodMilliseconds, meanBadMilliseconds, lossInGood, lossInBad"

    /// A probability, or an object for the bursty model; no loss when there is neither.
    fileprivate init(_ fields: inout FieldReader) throws(NetworkError) {
        let (number, object) = try fields.numberOrObject("loss", LinkLimits.probability)
        guard var model = object else {
            self = .independent(number ?? 0)
            return
        }
        let change = try GilbertElliott.Change(&model)
        let lossInGood = try model.number("lossInGood", LinkLimits.probability)
        let lossInBad = try model.number("lossInBad", LinkLimits.probability)
        try model.finish(known: Self.fields)
        // Without them it is Gilbert's own model: what is sent in the bad state is lost, all else arrives.
        self = .bursty(
            GilbertElliott(
                change,
                lossInGood: lossInGood ?? 0,
                lossInBad: lossInBad ?? 1
            )
        )
    }
}

extension GilbertElliott.Change {
    /// With packets or over time, as the fields say.
    fileprivate init(_ fields: inout FieldReader) throws(NetworkError) {
        let goodToBad = try fields.number("goodToBad", LinkLimits.probability)
        let badToGood = try fields.number("badToGood", LinkLimits.probability)
        let good = try fields.number("meanGoodMilliseconds", LinkLimits.stateMilliseconds)
        let bad = try fields.number("meanBadMilliseconds", LinkLimits.stateMilliseconds)
        switch (goodToBad, badToGood, good, bad) {
        case (let goodToBad?, let badToGood?, nil, nil):
            self = .withPackets(goodToBad: goodToBad, badToGood: badToGood)
        case (nil, nil, let good?, let bad?):
            self = .overTime(good: Int64(milliseconds: good), bad: Int64(milliseconds: bad))
        default:
            throw fields.missing(
                "either goodToBad and badToGood or meanGoodMilliseconds and meanBadMilliseconds must be there"
            )
        }
    }
}

extension Trace {
    /// The trace that the fields name; nil when they name none.
    fileprivate init?(_ fields: inout FieldReader, relativeTo file: String) throws(NetworkError) {
        let path = try fields.string("trace", longest: LinkLimits.pathBytes)
        let period = try fields.number("tracePeriodSeconds", LinkLimits.tracePeriodSeconds)
        guard let path else {
            guard period == nil else { throw fields.missing("tracePeriodSeconds is there without a trace") }
            return nil
        }
        let directory = URL(fileURLWithPath: file).deletingLastPathComponent()
        self = try Trace(file: URL(fileURLWithPath: path, relativeTo: directory).path)
        self.period = period.map { Int64(milliseconds: $0 * 1_000) }
        if let period = self.period, let last = self.rows.last, period <= last.time {
            throw fields.missing("tracePeriodSeconds must be above the time of the trace's last row")
        }
    }
}
