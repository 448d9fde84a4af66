// swift-tools-version: 6.2
import PackageDescription

// Floors: a target depends only on targets of a lower floor. `.ci/run` builds with
// `--explicit-target-dependency-import-check error`, so an import that is not declared here fails.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

// What the fuzzer calls is part of a test target, so that its inputs are replayed by `swift test`. Only `scripts/fuzz`,
// which sets APUS_FUZZ, links it with the fuzzer's runtime.
let fuzzTargets: [Target.Dependency] = [
    "QUIC", "HTTP3", "WebTransport", "WebTransportCore", "WebSocket", "TLS", "Credentials", "HTTPSemantics",
    "ApusServer", nioCore, httpTypes, logging,
    .product(name: "NIOEmbedded", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOWebSocket", package: "swift-nio"),
    .product(name: "NIOHPACK", package: "swift-nio-http2"),
]
let fuzzing: [Target] =
    Context.environment["APUS_FUZZ"] == nil
    ? [
        .testTarget(
            name: "FuzzingTests",
            dependencies: fuzzTargets,
            exclude: ["Corpus", "Driver", "Regressions", "make_corpus.py"],
            swiftSettings: settings
        )
    ]
    : [
        .target(
            name: "FuzzTargets",
            dependencies: fuzzTargets,
            path: "Tests/FuzzingTests/Targets",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "fuzz",
            dependencies: ["FuzzTargets"],
            path: "Tests/FuzzingTests/Driver",
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])]
        ),
    ]

let package = Package(
    name: "apus",
    products: [
        .executable(name: "apus", targets: ["apus"]),
        .library(name: "WebTransport", targets: ["WebTransport", "Credentials", "HTTPSemantics"]),
        .library(name: "WebSocket", targets: ["WebSocket", "Credentials", "HTTPSemantics"]),
        .library(name: "ApusServer", targets: ["ApusServer"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // Floor 0: C.
        .systemLibrary(
            name: "CNgtcp2",
            pkgConfig: "libngtcp2_crypto_gnutls",
            providers: [.apt(["libngtcp2-dev", "libngtcp2-crypto-gnutls-dev"])]
        ),
        .systemLibrary(name: "CNghttp3", pkgConfig: "libnghttp3", providers: [.apt(["libnghttp3-dev"])]),
        // Without pkg-config: its search path would come before that of a private prefix with newer ngtcp2 and nghttp3.
        .systemLibrary(name: "CGnuTLS", providers: [.apt(["libgnutls28-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CUDPSocket"),
        .target(name: "CNetworkEmulation"),

        // Floor 1: no sockets, no clock.
        library(
            "HTTPSemantics",
            [nioCore, httpTypes, logging, .product(name: "NIOConcurrencyHelpers", package: "swift-nio")]
        ),
        library("LoopConcurrency", [nioCore, deque]),
        library("Credentials", ["CGnuTLS"]),
        library("QUIC", ["CNgtcp2", "CGnuTLS", "Credentials", nioCore, deque]),
        library("HTTP3", ["CNghttp3", "HTTPSemantics", nioCore, httpTypes, deque]),
        library("WebTransportCore", [nioCore, deque]),

        // Floor 2: transports.
        library("TLS", ["CGnuTLS", "Credentials", nioCore]),
        library(
            "WebSocket",
            [
                "CZlib", "TLS", "Credentials", "HTTPSemantics", "LoopConcurrency", nioCore, nioPosix, httpTypes,
                logging, metrics,
                deque,
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
            ]
        ),
        library(
            "WebTransport",
            [
                "CUDPSocket", "Credentials", "HTTPSemantics", "LoopConcurrency", "QUIC", "HTTP3", "WebTransportCore",
                nioCore, nioPosix, httpTypes, logging, metrics, deque,
                .product(name: "HeapModule", package: "swift-collections"),
            ]
        ),

        // Floor 3: composition.
        .target(
            name: "ApusServer",
            dependencies: [
                "Credentials", "HTTPSemantics", "WebTransport", "WebSocket", nioCore, nioPosix, httpTypes, logging,
                metrics, deque, .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [.copy("Lab")],
            swiftSettings: settings
        ),

        // Floor 4: the command and its benchmark.
        .target(name: "NetworkModel", dependencies: [deque], path: "Benchmarks/NetworkModel", swiftSettings: settings),
        .target(
            name: "NetworkEmulation",
            dependencies: [
                "CNetworkEmulation", "NetworkModel", .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            path: "Benchmarks/NetworkEmulation",
            swiftSettings: settings
        ),
        .target(
            name: "TransportBenchmark",
            dependencies: [
                "ApusServer", "CGnuTLS", "CNetworkEmulation", "CNgtcp2", "CNghttp3", "Credentials", "HTTPSemantics",
                "LoopConcurrency", "NetworkEmulation", "NetworkModel", "WebTransport", "WebSocket", nioCore, nioPosix,
                httpTypes, logging,
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            path: "Benchmarks/TransportBenchmark",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "apus",
            dependencies: [
                "ApusServer", "TransportBenchmark", "NetworkEmulation", "NetworkModel", "Credentials",
                "HTTPSemantics", "LoopConcurrency", "WebTransport", "WebSocket", nioCore, nioPosix, httpTypes, logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),

        tests("LoopConcurrencyTests", ["LoopConcurrency", nioCore, nioPosix]),
        tests(
            "WebTransportTests",
            [
                "WebTransport", "WebTransportCore", "QUIC", "HTTP3", "Credentials", "HTTPSemantics", "LoopConcurrency",
                nioCore, nioPosix,
                httpTypes, logging, metrics,
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ]
        ),
        tests(
            "QUICTests",
            ["QUIC", "Credentials", nioCore, .product(name: "NIOConcurrencyHelpers", package: "swift-nio")]
        ),
        tests("HTTPSemanticsTests", ["HTTPSemantics", nioCore, httpTypes]),
        tests("HTTP3Tests", ["HTTP3", nioCore, httpTypes]),
        tests("WebTransportCoreTests", ["WebTransportCore"]),
        tests(
            "ApusServerTests",
            [
                "ApusServer", "Credentials", "HTTPSemantics", "TLS", "WebSocket", "WebTransport", nioCore, nioPosix,
                httpTypes, logging, metrics,
            ]
        ),
        tests("CredentialsTests", ["Credentials", "CGnuTLS"]),
        tests(
            "WebSocketTests",
            [
                "WebSocket", "TLS", "Credentials", "HTTPSemantics", nioCore, nioPosix, httpTypes, logging,
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ]
        ),
        tests(
            "TransportBenchmarkTests",
            [
                "TransportBenchmark", "NetworkEmulation", "NetworkModel", "Credentials", "HTTPSemantics",
                "LoopConcurrency",
                "WebTransport", "WebSocket", nioCore, nioPosix, httpTypes, logging,
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ]
        ),
        tests("NetworkModelTests", ["NetworkModel"]),
        tests("NetworkEmulationTests", ["CNetworkEmulation", "NetworkEmulation", "NetworkModel"]),
        tests("TLSTests", ["TLS", "Credentials", nioCore, .product(name: "NIOEmbedded", package: "swift-nio")]),
    ] + fuzzing
)
