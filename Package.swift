// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "madang",
  products: [],
  targets: [
    .target(name: "NGSI"),
    .target(name: "Query", dependencies: ["NGSI"]),
    .target(name: "Store", dependencies: ["NGSI", "Query"]),
    .testTarget(name: "NGSITests", dependencies: ["NGSI"]),
  ],
  swiftLanguageModes: [.v6]
)
