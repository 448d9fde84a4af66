import NIOCore

@testable import HTTP3
@testable import WebTransportCore

extension FuzzTarget {
    private static let addedSettings = [
        Setting(.enableConnectProtocol, 1), Setting(.h3Datagram, 1), Setting(.init(rawValue: 0x2b60_3742), 1),
    ]

    /// SETTINGS (RFC 9114 § 7.2.4): the peer's in passing, and ours with more added to them.
    static let settings = FuzzTarget("settings") { input in
        let whole = Self.readSettings(input, .whole)
        for cutting in Cutting.inPieces {
            try requireEqual(Self.readSettings(input, cutting), whole, "settings \(cutting), and whole")
        }
        if case .settings(let settings) = whole {
            try require(Set(settings.map(\.identifier)).count == settings.count, "no setting stands there twice")
            // Two bytes are the shortest setting.
            try require(settings.count * 2 <= input.count, "there are no more settings than bytes for them")
        }
        try Self.checkSplice(input)
        try Self.checkTerms(input)
    }

    /// What follows from a peer's settings, and what a ticket keeps of them.
    private static func checkTerms(_ input: UnsafeRawBufferPointer) throws {
        var payload = ByteBuffer(bytes: input)
        guard let settings = payload.readSettings() else { return }
        let values = SettingValues(
            Dictionary(settings.map { ($0.identifier.rawValue, $0.value) }, uniquingKeysWith: { first, _ in first })
        )
        for role in [Negotiation.Role.server, .client] {
            for offer in [WebTransportOffer.oneSession, .severalSessions(16, limits: .none)] {
                let terms = Negotiation(as: role, offering: offer, to: values)
                try require(
                    (0...offer.maxSessions).contains(terms.maxSessions),
                    "there are no more sessions than were offered"
                )
            }
        }
        let remembered = RememberedSettings(settings)
        try requireEqual(
            RememberedSettings(encoded: remembered.encoded),
            remembered,
            "settings that a ticket gives back, and those it was given"
        )
        try remembered.check(against: settings)
    }

    private enum Settings: Equatable {
        case incomplete
        case settings([Setting])
        case failed(HTTP3ErrorCode)
    }

    private static func readSettings(_ input: UnsafeRawBufferPointer, _ cutting: Cutting) -> Settings {
        var reader = PeerSettingsReader()
        do throws(HTTP3Error) {
            for piece in cutting.pieces(of: input) {
                if let settings = try reader.process(piece) { return .settings(settings) }
            }
            return .incomplete
        } catch {
            return .failed(error.code)
        }
    }

    /// The input as settings that nghttp3 has written, and a frame behind them.
    private static func checkSplice(_ input: UnsafeRawBufferPointer) throws {
        var payload = ByteBuffer(bytes: input)
        guard let settings = payload.readSettings() else { return }
        payload = ByteBuffer()
        payload.writeSettings(settings)
        // GOAWAY with the ID 0.
        let behind: [UInt8] = [0x07, 0x01, 0x00]
        var stream = ByteBuffer()
        stream.writeEncodedInteger(0, strategy: .quic)
        stream.writeEncodedInteger(FrameHeader.settings, strategy: .quic)
        stream.writeEncodedInteger(UInt64(payload.readableBytes), strategy: .quic)
        stream.writeImmutableBuffer(payload)
        stream.writeBytes(behind)

        var expected = settings
        for setting in Self.addedSettings where !settings.contains(where: { $0.identifier == setting.identifier }) {
            expected.append(setting)
        }
        try stream.withUnsafeReadableBytes { stream in
            for cutting in [.whole] + Cutting.inPieces {
                var splicer = SettingsSplicer(adding: Self.addedSettings)
                var output = ByteBuffer()
                for piece in cutting.pieces(of: stream) { output.writeImmutableBuffer(splicer.process(piece)) }
                try requireEqual(
                    output.readEncodedInteger(as: Int.self, strategy: .quic),
                    0,
                    "the stream's type, and 0"
                )
                guard let header = FrameHeader(from: &output), header.type == FrameHeader.settings,
                    var frame = output.readSlice(length: Int(clamping: header.length))
                else { throw InvariantViolation(description: "no SETTINGS frame comes out \(cutting)") }
                try requireEqual(frame.readSettings(), expected, "settings that come out \(cutting), and expected ones")
                try requireEqual(output.bytes, behind, "what comes behind \(cutting), and what went in there")
            }
        }
    }
}
