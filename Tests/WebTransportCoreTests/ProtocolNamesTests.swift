import Testing
import WebTransportCore

@Suite("Names of application protocols (draft-ietf-webtrans-http3 § 3.3; RFC 8941) [10]")
struct ProtocolNamesTests {
    @Test(
        "A list of strings is read in order; parameters mean nothing",
        arguments: [
            ("", []), ("\"a\"", ["a"]), ("  \"a\" ,\t\"b c\"  ", ["a", "b c"]), ("\"\"", [""]),
            (#""a\"b", "c\\d""#, [#"a"b"#, #"c\d"#]), ("\"a\";q=0.5;x, \"b\";y=\"z\";k=?1;l=:YQ==:", ["a", "b"]),
        ] as [(String, [String])]
    )
    func lists(field: String, names: [String]) {
        #expect(ProtocolNames.parse(list: field) == names)
    }

    @Test(
        "A list that is malformed, or has a member that is no string, is void as a whole",
        arguments: [
            "a", "\"a\", b", "\"a\", 1", "\"a", "\"a\",", "\"a\" \"b\"", ",", "\"ü\"", #""\a""#, "(\"a\")", "\"a\";Q=1",
            "\"a\";q=", "\"a\\", "\"a\";k=?2", "\"a\";l=:YQ",
        ]
    )
    func malformed(field: String) {
        #expect(ProtocolNames.parse(list: field) == nil)
    }

    @Test(
        "An item is one string",
        arguments: [
            ("\"a\"", "a"), (" \"a\";x=1 ", "a"), ("a", nil), ("\"a\", \"b\"", nil), ("", nil), ("\"a\"b", nil),
        ] as [(String, String?)]
    )
    func items(field: String, name: String?) {
        #expect(ProtocolNames.parse(item: field) == name)
    }

    @Test("What is written is read again", arguments: ["", "chat", #"a"b\c"#, "a, b;c"])
    func roundTrip(name: String) {
        #expect(ProtocolNames.parse(item: ProtocolNames.serialize(name)) == name)
        #expect(ProtocolNames.parse(list: "\"x\", \(ProtocolNames.serialize(name))") == ["x", name])
    }
}
