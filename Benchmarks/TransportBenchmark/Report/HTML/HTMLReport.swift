import NetworkModel

/// Measurements as one page that needs nothing else: no network, no program.
public struct HTMLReport: Sendable {
    private let records: [BenchmarkRecord]

    /// - Parameter records: in the order in which they are shown; at least one.
    public init(_ records: [BenchmarkRecord]) {
        self.records = records
    }

    public var html: String {
        let title = "Apus benchmark, \(self.records.first?.date.prefix(10) ?? "")"
        let navigation =
            self.records.count == 1
            ? ""
            : "<nav aria-label=\"Networks\"><ul>"
                + self.records.enumerated().map {
                    "<li><a href=\"#r\($0)\">\(HTMLText.escape($1.networkName))</a></li>"
                }
                .joined() + "</ul></nav>"
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(HTMLText.escape(title))</title>
            <style>
            \(ReportStyle.css)
            </style>
            </head>
            <body>
            <main>
            <h1>\(HTMLText.escape(title))</h1>
            \(navigation)
            \(self.records.enumerated().map { HTMLSection($1, id: "r\($0)").html }.joined(separator: "\n"))
            </main>
            </body>
            </html>

            """
    }
}

extension BenchmarkRecord {
    /// What a reader looks for: the network, or that there was none.
    var networkName: String {
        self.network?.network.name ?? (self.settings.isOwnServer ? "loopback" : self.settings.target)
    }
}
