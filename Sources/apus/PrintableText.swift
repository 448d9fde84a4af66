import NIOCore

/// What a peer sent, as text that does no harm to a terminal.
enum PrintableText {
    /// The most bytes that are shown in hexadecimal.
    private static let hexadecimalLimit = 64

    /// The bytes as text, with characters that steer a terminal written as `\u{1b}`; in hexadecimal when they are not
    /// UTF-8.
    static func text(_ bytes: ByteBuffer) -> String {
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else {
            let shown = bytes.readableBytesView.prefix(Self.hexadecimalLimit).map(Self.hexadecimal).joined()
            let isCut = bytes.readableBytes > Self.hexadecimalLimit
            return "\(bytes.readableBytes) bytes: \(shown)\(isCut ? "…" : "")"
        }
        return Self.text(text)
    }

    static func text(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if Self.isSafe(scalar) {
                result.unicodeScalars.append(scalar)
            } else {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return result
    }

    /// Control characters move the cursor, format characters turn the direction of text around (Unicode UAX #9), and
    /// separators end lines. Tabs are harmless, and emoji are held together by joiners.
    private static func isSafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control: scalar == "\t"
        case .format: scalar == "\u{200c}" || scalar == "\u{200d}"
        case .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}

/// Cuts the bytes of a stream into lines, wherever its packets end.
struct LineAssembler {
    private var buffer = ByteBuffer()

    /// A line that does not end is passed on in parts of this size.
    private static let maximumLength = 4_096

    /// The lines that are complete with these bytes.
    mutating func received(_ bytes: ByteBuffer) -> [ByteBuffer] {
        self.buffer.writeImmutableBuffer(bytes)
        var lines: [ByteBuffer] = []
        while true {
            let view = self.buffer.readableBytesView
            if let end = view.prefix(Self.maximumLength).firstIndex(of: UInt8(ascii: "\n")) {
                if let line = self.buffer.readSlice(length: end - view.startIndex) { lines.append(line) }
                self.buffer.moveReaderIndex(forwardBy: 1)
            } else if let part = self.buffer.readSlice(length: Self.maximumLength) {
                lines.append(part)
            } else {
                self.buffer.discardReadBytes()
                return lines
            }
        }
    }

    /// What is left at the end of the stream, if anything.
    mutating func ended() -> ByteBuffer? {
        defer { self.buffer.clear() }
        return self.buffer.readableBytes > 0 ? self.buffer : nil
    }
}
