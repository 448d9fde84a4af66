import NIOCore
import Testing

@testable import HTTP3

@Suite("SETTINGS, spliced and read")
struct SettingsTests {
    private static let additional = [
        Setting(.enableConnectProtocol, 1), Setting(.h3Datagram, 1), Setting(.init(rawValue: 0x2b60_3742), 1),
        Setting(.init(rawValue: 0xc671_706a), 1), Setting(.init(rawValue: 0x14e9_cd29), 1),
    ]

    /// The bytes of a control stream whose first frame holds these settings.
    private static func controlStream(_ settings: [Setting], then rest: [UInt8] = []) -> ByteBuffer {
        var payload = ByteBuffer()
        payload.writeSettings(settings)
        var buffer = ByteBuffer(bytes: [0x00, 0x04])
        buffer.writeEncodedInteger(UInt64(payload.readableBytes), strategy: .quic)
        buffer.writeImmutableBuffer(payload)
        buffer.writeBytes(rest)
        return buffer
    }

    private static let ownSettings: [[Setting]] = [
        [],
        [Setting(.init(rawValue: 0x06), 65_536), Setting(.init(rawValue: 0x01), 4_096)],
        // What nghttp3 writes itself is not repeated, whatever its value (RFC 9114 § 7.2.4).
        [Setting(.enableConnectProtocol, 1), Setting(.init(rawValue: 0x07), 16)],
        additional,
    ]

    @Test("The spliced frame is the same at every split point (RFC 9114 § 7.2.4)", arguments: ownSettings)
    func splice(own: [Setting]) {
        // A GOAWAY frame, and the beginning of another one.
        let rest: [UInt8] = [0x07, 0x01, 0x00, 0x0d, 0x02]
        let input = Self.controlStream(own, then: rest)
        let missing = Self.additional.filter { setting in !own.contains { $0.identifier == setting.identifier } }
        let expected = Self.controlStream(own + missing, then: rest)
        for split in 0...input.readableBytes {
            var splicer = SettingsSplicer(adding: Self.additional)
            var input = input
            var output = splicer.process(input.readSlice(length: split)!)
            output.writeImmutableBuffer(splicer.process(input))
            #expect(output == expected, "split at \(split)")
        }
    }

    @Test("The spliced frame is the same one byte at a time, and nothing of it leaves before it is whole")
    func spliceByteAtATime() {
        let input = Self.controlStream(Self.ownSettings[1], then: [0x21, 0x00])
        let frameEnd = input.readableBytes - 2
        var splicer = SettingsSplicer(adding: Self.additional)
        var output = ByteBuffer()
        for (index, byte) in input.readableBytesView.enumerated() {
            let piece = splicer.process(ByteBuffer(bytes: [byte]))
            if index < frameEnd - 1 { #expect(piece.readableBytes == 0) }
            output.writeImmutableBuffer(piece)
        }
        #expect(output == Self.controlStream(Self.ownSettings[1] + Self.additional, then: [0x21, 0x00]))
    }

    @Test("Bytes after the frame pass untouched, even when they look like another SETTINGS frame")
    func passThrough() {
        var splicer = SettingsSplicer(adding: Self.additional)
        _ = splicer.process(Self.controlStream([]))
        let later = Self.controlStream([Setting(.init(rawValue: 0x06), 1)])
        #expect(splicer.process(later) == later)
    }

    @Test("The peer's settings are reported once, when the last byte of the frame is in")
    func readByteAtATime() throws {
        var frame = Self.controlStream(Self.additional)
        frame.moveReaderIndex(forwardBy: 1)
        let count = frame.readableBytes
        var reader = PeerSettingsReader()
        for (index, byte) in frame.readableBytesView.enumerated() {
            let settings = try reader.process(ByteBuffer(bytes: [byte]))
            #expect(settings == (index == count - 1 ? Self.additional : nil))
        }
        #expect(try reader.process(ByteBuffer(bytes: [0x04, 0x00])) == nil)
    }

    @Test("An empty SETTINGS frame has no settings, which is not the same as none yet")
    func readEmpty() throws {
        var reader = PeerSettingsReader()
        #expect(try reader.process(ByteBuffer(bytes: [0x04, 0x00])) == [])
    }

    @Test("A SETTINGS frame of 4,096 bytes is read, a larger one is excessive load, known from its header alone")
    func oversized() throws {
        let settings = (0..<1024).map { Setting(.init(rawValue: 0x1000 + $0), 64 + $0) }
        var frame = Self.controlStream(settings)
        frame.moveReaderIndex(forwardBy: 1)
        var reader = PeerSettingsReader()
        #expect(try reader.process(frame) == settings)

        for header in [[0x04, 0x50, 0x01], [0x04, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] as [[UInt8]] {
            let error = #expect(throws: HTTP3Error.self) {
                var reader = PeerSettingsReader()
                _ = try reader.process(ByteBuffer(bytes: header))
            }
            #expect(error?.code == .excessiveLoad)
        }
    }

    @Test(
        "A frame that ends within a setting is H3_FRAME_ERROR (RFC 9114 § 7.1)",
        arguments: [[0x04, 0x01, 0x08], [0x04, 0x02, 0x08, 0x40], [0x04, 0x03, 0x08, 0x01, 0x33]] as [[UInt8]]
    )
    func truncated(frame: [UInt8]) {
        let error = #expect(throws: HTTP3Error.self) {
            var reader = PeerSettingsReader()
            _ = try reader.process(ByteBuffer(bytes: frame))
        }
        #expect(error?.code == .frameError)
    }

    @Test("A setting that stands twice is H3_SETTINGS_ERROR (RFC 9114 § 7.2.4)", arguments: [1, 2] as [UInt8])
    func duplicate(value: UInt8) {
        let error = #expect(throws: HTTP3Error.self) {
            var reader = PeerSettingsReader()
            _ = try reader.process(ByteBuffer(bytes: [0x04, 0x06, 0x08, 0x01, 0x33, 0x01, 0x08, value]))
        }
        #expect(error?.code == .settingsError)
    }

    @Test("Another first frame yields no settings, whatever follows: nghttp3 closes the connection")
    func otherFirstFrame() throws {
        var reader = PeerSettingsReader()
        #expect(try reader.process(ByteBuffer(bytes: [0x07, 0x01, 0x00] + [UInt8](repeating: 0, count: 13))) == nil)
        #expect(try reader.process(ByteBuffer(bytes: [0x04, 0x02, 0x08, 0x01])) == nil)
    }

    @Test("A setting that is on or off has no other value", arguments: [0x08, 0x33] as [UInt64])
    func switches(identifier: UInt64) throws {
        for (value, isAllowed) in [(0, true), (1, true), (2, false)] as [(UInt8, Bool)] {
            var reader = PeerSettingsReader()
            let frame = ByteBuffer(bytes: [0x04, 2, UInt8(identifier), value])
            if isAllowed {
                let count = try reader.process(frame)?.count
                #expect(count == 1)
            } else {
                do {
                    _ = try reader.process(frame)
                    Issue.record("\(value) was accepted")
                } catch {
                    #expect(error.code == .settingsError)
                }
            }
        }
    }
}
