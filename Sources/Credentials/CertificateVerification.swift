/// How a client decides whether to trust a server's certificate.
public struct CertificateVerification: Hashable, Sendable {
    enum Rule: Hashable {
        case system
        case fingerprints(Set<CertificateFingerprint>)
        case none
    }

    let rule: Rule

    /// An authority that this system trusts vouches for the certificate, and it is for the host that was asked for.
    public static var system: Self { Self(rule: .system) }

    /// The certificate has one of these fingerprints and is valid now; who signed it, and for which host, does not
    /// matter. It is what a browser does with `serverCertificateHashes`.
    public static func fingerprints(_ fingerprints: Set<CertificateFingerprint>) -> Self {
        Self(rule: .fingerprints(fingerprints))
    }

    /// Any certificate will do. The connection is encrypted, but to whom is unknown.
    public static var none: Self { Self(rule: .none) }
}
