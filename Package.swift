// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "madang",
  products: [
    .executable(name: "madang", targets: ["madang"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.4"),
    .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.1"),
    .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-crypto", "3.12.3"..<"5.0.0"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .systemLibrary(name: "CGEOS", pkgConfig: "geos", providers: [.apt(["libgeos-dev"])]),
    .target(name: "CICU", linkerSettings: [.linkedLibrary("icui18n"), .linkedLibrary("icuuc")]),
    .systemLibrary(name: "CLibcrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CLibxml2", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
    .systemLibrary(name: "CMosquitto", pkgConfig: "libmosquitto", providers: [.apt(["libmosquitto-dev"])]),
    .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
    .systemLibrary(name: "CMalloc"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "COsmium", linkerSettings: [.linkedLibrary("z")]),
    .target(
      name: "COpenCV",
      cxxSettings: [.unsafeFlags(["-isystem", "/usr/include/opencv4", "-O2"])],
      linkerSettings: ["core", "dnn", "imgproc", "objdetect", "video"].map { .linkedLibrary("opencv_\($0)") }),
    .target(name: "Vision"),
    .target(name: "Cameras", dependencies: ["CLibxml2", "COpenCV", "ChildProcess", "City", "NGSI", "Vision"]),
    .target(name: "Streets", dependencies: ["COsmium"]),
    .target(name: "Evacuation", dependencies: ["Streets"]),
    .target(name: "MQTT", dependencies: ["CMosquitto"]),
    .target(name: "NGSI"),
    .target(name: "Patterns", dependencies: ["CPCRE2", "NGSI"]),
    .target(name: "JSONSchema", dependencies: ["NGSI", "Patterns"]),
    .target(name: "Query", dependencies: ["CGEOS", "CICU", "NGSI", "Patterns"]),
    .target(name: "Store", dependencies: ["NGSI", "Query"]),
    .target(name: "AgencyLink", dependencies: ["CLibcrypto", "NGSI"]),
    .target(name: "CAP", dependencies: ["CLibxml2", "NGSI"]),
    .target(name: "Incidents", dependencies: ["NGSI", "Query"]),
    .target(
      name: "StoreSQLite",
      dependencies: [
        "NGSI", "Query", "Store", .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ]),
    .target(
      name: "Hub",
      dependencies: ["JSONSchema", "NGSI", "Query", "Store", .product(name: "Logging", package: "swift-log")]),
    .target(name: "Cedar"),
    .target(name: "Access", dependencies: ["Cedar", "Hub", "NGSI", "Query", "Store"]),
    .target(name: "TransparencyLog", dependencies: [.product(name: "Crypto", package: "swift-crypto")]),
    .target(
      name: "Witness",
      dependencies: [
        "TransparencyLog", "WholeFile",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]),
    .target(
      name: "Devices",
      dependencies: [
        "WholeFile",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "X509", package: "swift-certificates"),
      ]),
    .target(
      name: "Evidence",
      dependencies: [
        "NGSI", "Store", "TransparencyLog",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(
      name: "Identity",
      dependencies: [
        "NGSI",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "CryptoExtras", package: "swift-crypto"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Mustache", package: "swift-mustache"),
      ],
      resources: [.copy("Resources")]),
    .target(name: "Egress"),
    .target(name: "WholeFile"),
    .target(name: "Firmware", dependencies: ["NGSI", "WholeFile", .product(name: "Crypto", package: "swift-crypto")]),
    .target(name: "Federation", dependencies: ["Egress", "Hub", "NGSI", "Query", "Store"]),
    .target(
      name: "HubHTTP",
      dependencies: [
        "Devices", "Federation", "Hub", "MQTT", "NGSI", "Query", "Store",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ]),
    .target(
      name: "City",
      dependencies: [
        "NGSI", .product(name: "Crypto", package: "swift-crypto"), .product(name: "Yams", package: "Yams"),
      ]
    ),
    .target(
      name: "Safety",
      dependencies: [
        "AgencyLink", "CAP", "City", "Hub", "HubHTTP", "Incidents", "NGSI", "Query", "Store",
        .product(name: "DequeModule", package: "swift-collections"),
      ]),
    .target(
      name: "Surveillance",
      dependencies: [
        "Cameras", "City", "Hub", "HubHTTP", "Incidents", "NGSI", "Safety", "Store", "Vision",
        .product(name: "Crypto", package: "swift-crypto"),
      ]),
    .target(
      name: "Ingest",
      dependencies: [
        "City", "CZlib", "Egress", "MQTT", "NGSI",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Yams", package: "Yams"),
      ]),
    .target(
      name: "Console",
      dependencies: [
        "CZlib", "Incidents", "NGSI", "Safety", "Surveillance", "Vision",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Mustache", package: "swift-mustache"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      resources: [.copy("Resources")]),
    .target(
      name: "Bench",
      dependencies: [
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ]),
    .executableTarget(
      name: "madang",
      dependencies: [
        "Access", "AgencyLink", "Bench", "Cameras", "City", "CMalloc", "Console", "Devices", "Egress", "Evacuation",
        "Evidence",
        "Federation",
        "Firmware",
        "Hub",
        "HubHTTP", "Identity", "Incidents", "Ingest", "NGSI", "Query", "Safety", "Store", "StoreSQLite", "Streets",
        "Surveillance", "TransparencyLog", "Vision", "WholeFile", "Witness",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]),
    .target(name: "StoreContract", dependencies: ["NGSI", "Query", "Store"]),
    .executableTarget(name: "StoreProbe", dependencies: ["NGSI", "Store", "StoreSQLite"]),
    .testTarget(name: "MQTTTests", dependencies: ["ChildProcess", "MQTT"]),
    .target(name: "ChildProcess"),
    .target(name: "Fuzzing", dependencies: ["NGSI"]),
    .target(name: "TestSupport", dependencies: ["ChildProcess", "NGSI"]),
    .target(name: "CDiskRecorder"),
    .executableTarget(
      name: "PowerCut",
      dependencies: [
        "CDiskRecorder", "Evidence", "NGSI", "Query", "Store", "StoreSQLite", "TransparencyLog", "Witness",
      ]),
    .testTarget(name: "NGSITests", dependencies: ["ChildProcess", "Fuzzing", "NGSI", "TestSupport"]),
    .testTarget(name: "JSONSchemaTests", dependencies: ["ChildProcess", "JSONSchema", "NGSI", "TestSupport"]),
    .testTarget(name: "AgencyLinkTests", dependencies: ["AgencyLink", "ChildProcess", "Fuzzing", "NGSI"]),
    .testTarget(name: "CAPTests", dependencies: ["CAP", "ChildProcess", "Fuzzing", "NGSI", "TestSupport"]),
    .testTarget(name: "IncidentsTests", dependencies: ["Incidents", "NGSI"]),
    .testTarget(
      name: "SafetyTests",
      dependencies: [
        "Access", "AgencyLink", "CAP", "City", "Devices", "Hub", "HubHTTP", "Incidents", "NGSI", "Query", "Safety",
        "Store",
        "StoreSQLite",
        .product(name: "NIOCore", package: "swift-nio"),
      ]),
    .testTarget(name: "QueryTests", dependencies: ["ChildProcess", "Fuzzing", "NGSI", "Query", "TestSupport"]),
    .testTarget(
      name: "StoreSQLiteTests",
      dependencies: [
        "ChildProcess", "Fuzzing", "NGSI", "Query", "Store", "StoreContract", "StoreProbe", "StoreSQLite",
        "TestSupport",
        .product(name: "GRDB", package: "GRDB.swift"),
      ]),
    .testTarget(
      name: "HubTests", dependencies: ["ChildProcess", "Hub", "NGSI", "Query", "Store", "StoreSQLite", "TestSupport"]),
    .testTarget(
      name: "HubHTTPTests",
      dependencies: [
        "Access", "ChildProcess", "Federation", "Hub", "HubHTTP", "NGSI", "Query", "Store", "StoreSQLite",
        "TestSupport",
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]),
    .testTarget(
      name: "AccessTests",
      dependencies: ["Access", "Cedar", "Evidence", "Hub", "NGSI", "Query", "Store", "StoreSQLite"]),
    .testTarget(name: "CedarTests", dependencies: ["Cedar", "ChildProcess", "NGSI", "TestSupport"]),
    .testTarget(name: "TransparencyLogTests", dependencies: ["TransparencyLog"]),
    .testTarget(
      name: "EvidenceTests",
      dependencies: ["Evidence", "NGSI", "Store", "StoreSQLite", "TransparencyLog", "Witness"]),
    .testTarget(
      name: "IdentityTests",
      dependencies: [
        "Identity", "NGSI", "TestSupport",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "CryptoExtras", package: "swift-crypto"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
      ]),
    .testTarget(name: "WitnessTests", dependencies: ["TransparencyLog", "Witness"]),
    .testTarget(
      name: "DevicesTests",
      dependencies: ["Devices", .product(name: "Crypto", package: "swift-crypto")]),
    .testTarget(name: "CityTests", dependencies: ["ChildProcess", "City", "Fuzzing", "NGSI", "TestSupport"]),
    .testTarget(
      name: "IngestTests",
      dependencies: [
        "ChildProcess", "City", "Egress", "Fuzzing", "Ingest", "MQTT", "NGSI", "TestSupport",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ]),
    .testTarget(
      name: "ConsoleTests",
      dependencies: [
        "Console", "NGSI",
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
      ]),
    .testTarget(name: "StreetsTests", dependencies: ["NGSI", "Streets", "TestSupport"]),
    .testTarget(name: "VisionTests", dependencies: ["NGSI", "TestSupport", "Vision"]),
    .testTarget(
      name: "CamerasTests", dependencies: ["Cameras", "ChildProcess", "City", "NGSI", "TestSupport", "Vision"]),
    .testTarget(
      name: "SurveillanceTests",
      dependencies: [
        "Access", "Cameras", "Cedar", "City", "Hub", "Incidents", "NGSI", "Safety", "Store", "StoreSQLite",
        "Surveillance",
        "TestSupport", "Vision",
      ]),
    .testTarget(name: "EvacuationTests", dependencies: ["Evacuation", "NGSI", "Streets", "TestSupport"]),
    .testTarget(
      name: "BenchTests",
      dependencies: [
        "ChildProcess", "Bench",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
