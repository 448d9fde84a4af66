import NIOCore

/// What a peer sent, as text that does no harm to a terminal.
enum PrintableText {
    /// The most bytes that are shown in hexadecimal.
    private static let hexadecimalLimit = 64

    /// The bytes as text, with control characters but tabs written as `\u{1b}`; in hexadecimal when they are not UTF-8.
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
            switch scalar.properties.generalCategory {
            case .control where scalar != "\t":
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default:
                result.unicodeScalars.append(scalar)
            }
        }
        return result
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
